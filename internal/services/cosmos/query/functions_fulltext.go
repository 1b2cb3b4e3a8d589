package query

// fullTextFunctions search by scanning. FullTextScore and RRF stand in ORDER BY RANK only; those with an underscore are what
// clients get to run of it.
var fullTextFunctions = []function{
	{name: "FullTextContains", min: 2, max: 2, compile: fullText(true)},
	{name: "FullTextContainsAll", min: 2, max: unbounded, compile: fullText(true)},
	{name: "FullTextContainsAny", min: 2, max: unbounded, compile: fullText(false)},
	{name: "FullTextScore", min: 2, max: unbounded, compile: rankOnly},
	{name: "RRF", min: 2, max: unbounded, compile: rankOnly},
	{name: "_FullTextScore", min: 5, max: 5, compile: fullTextScore},
	{name: "_FullTextWordCount", min: 1, max: 1, with: func(f *frame, args []Value) Value {
		if args[0].kind != KindString || !f.spend(len(args[0].str)) {
			return Undefined
		}
		_, words := search(args[0].str, nil)
		return Number(float64(words))
	}},
}

func rankOnly(c *compiler, e *Call, _ []evalFn) evalFn {
	panic(compileStop{newError(Diagnostic{
		Severity: "Error", Location: diagnose(c.text, e.Span, "", "").Location,
		Message: "The " + e.Name + " function is only allowed in the ORDER BY RANK clause.",
	})})
}

// fullText compiles a search for all terms, or for any. Constant ones are read once. An argument that is no string makes it undefined.
func fullText(all bool) func(*compiler, *Call, []evalFn) evalFn {
	return func(c *compiler, e *Call, args []evalFn) evalFn {
		fixed := make([]term, 0, len(args)-1)
		for _, arg := range e.Args[1:] {
			v, ok := c.constantOf(arg)
			if !ok || v.kind != KindString {
				fixed = nil
				break
			}
			fixed = append(fixed, newTerm(v.str))
		}
		return func(f *frame) Value {
			text, terms := args[0](f), fixed
			if terms == nil {
				for _, a := range args[1:] {
					v := a(f)
					if v.kind != KindString || !f.spend(8*len(v.str)) {
						return Undefined
					}
					terms = append(terms, newTerm(v.str))
				}
			}
			if text.kind != KindString || !f.spend(len(text.str)*(1+len(terms))) {
				return Undefined
			}
			hits, _ := search(text.str, terms)
			for _, n := range hits {
				if n > 0 != all {
					return Bool(!all)
				}
			}
			return Bool(all)
		}
	}
}

// termsOf reads the terms of a score: strings, or arrays of strings, all of them constants.
func (c *compiler) termsOf(list []Expr) (terms []term, ok bool) {
	for _, e := range list {
		v, ok := c.constantOf(e)
		switch {
		case ok && v.kind == KindString:
			terms = append(terms, newTerm(v.str))
		case ok && v.kind == KindArray:
			for i := range v.Len() {
				if v.At(i).kind != KindString {
					return nil, false
				}
				terms = append(terms, newTerm(v.At(i).str))
			}
		default:
			return nil, false
		}
	}
	return terms, true
}

// fullTextScore is _FullTextScore(text, terms, documents, words, hits): BM25 with the statistics that the client has gathered.
func fullTextScore(c *compiler, e *Call, args []evalFn) evalFn {
	terms, ok := c.termsOf(e.Args[1:2])
	return func(f *frame) Value {
		text, documents, words, hits := args[0](f), args[2](f), args[3](f), args[4](f)
		if !ok || text.kind != KindString || documents.kind != KindNumber || words.kind != KindNumber || hits.kind != KindArray || !f.spend(len(text.str)*(1+len(terms))) {
			return Undefined
		}
		all := corpus{documents: documents.num, words: words.num, hits: make([]float64, hits.Len())}
		for i := range all.hits {
			all.hits[i] = hits.At(i).num
		}
		return Number(all.score(search(text.str, terms)))
	}
}
