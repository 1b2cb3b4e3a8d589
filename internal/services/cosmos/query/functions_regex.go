package query

import (
	"time"

	"github.com/dlclark/regexp2"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

const (
	maxPattern   = 32 << 10               // bytes of a regular expression
	matchTimeout = 500 * time.Millisecond // of one match
	matchBudget  = 2 * time.Second        // of all matches for one document
)

// regexFunctions use a backtracking engine, as the service does. Time is bounded.
var regexFunctions = []function{
	{name: "RegexMatch", min: 2, max: 3, compile: regexCall(func(re *regexp2.Regexp, s string, _ int) (Value, error) {
		ok, err := re.MatchString(s)
		return Bool(ok), err
	})},
	{name: "RegexExtract", min: 2, max: 4, compile: regexCall(func(re *regexp2.Regexp, s string, group int) (Value, error) {
		m, err := re.FindStringMatch(s)
		if m == nil {
			return Undefined, err
		}
		return groupOf(m, group), nil
	})},
	{name: "RegexExtractAll", min: 2, max: 4, compile: regexCall(func(re *regexp2.Regexp, s string, group int) (Value, error) {
		found := []Value{}
		m, err := re.FindStringMatch(s)
		for begin := time.Now(); m != nil && err == nil; m, err = re.FindNextMatch(m) {
			if v := groupOf(m, group); v.kind != KindUndefined {
				found = append(found, v)
			}
			if time.Since(begin) > matchTimeout {
				return Undefined, errSlow
			}
		}
		return Array(found), err
	})},
}

var errSlow = fault.New(fault.Invalid, "BadRequest", "A regular expression of the query took too long to evaluate; make it simpler.")

// groupOf is the text of a group, counted from 1; 0 is the whole match.
func groupOf(m *regexp2.Match, group int) Value {
	if g := m.GroupByNumber(group); g != nil && len(g.Captures) > 0 {
		return String(g.String())
	}
	return Undefined
}

// pattern is a compiled regular expression, nil where there is none.
func pattern(text, modifiers Value) *regexp2.Regexp {
	options := regexp2.RegexOptions(regexp2.None)
	for _, m := range modifiers.Str() {
		switch m {
		case 'i':
			options |= regexp2.IgnoreCase
		case 'm':
			options |= regexp2.Multiline
		case 's':
			options |= regexp2.Singleline
		case 'x':
			options |= regexp2.IgnorePatternWhitespace
		default:
			return nil
		}
	}
	if text.kind != KindString || len(text.str) > maxPattern || modifiers.kind != KindUndefined && modifiers.kind != KindString {
		return nil
	}
	re, err := regexp2.Compile(text.str, options)
	if err != nil {
		return nil
	}
	re.MatchTimeout = matchTimeout
	return re
}

// regexCall compiles a function of (text, pattern [, modifiers [, group]]). A constant pattern is read once, another one again when it changes.
func regexCall(apply func(re *regexp2.Regexp, s string, group int) (Value, error)) func(*compiler, *Call, []evalFn) evalFn {
	return func(c *compiler, e *Call, args []evalFn) evalFn {
		for len(args) < 4 {
			args = append(args, constant(Undefined))
		}
		re, fixed := c.fixedPattern(e)
		return func(f *frame) Value {
			s := args[0](f)
			use := re
			if !fixed {
				use = f.pattern(args[1](f), args[2](f))
			}
			group, ok := whole(args[3](f))
			if !ok && len(e.Args) == 4 || group < 0 || s.kind != KindString || use == nil || !f.spend(weight(s)+8) {
				return Undefined
			}
			begin := time.Now()
			out, err := apply(use, s.str, group)
			f.matched += time.Since(begin)
			if (err != nil || f.matched > matchBudget) && f.err == nil {
				f.err = errSlow
			}
			return f.made(out)
		}
	}
}

// fixedPattern compiles the pattern of a call whose pattern and modifiers are constants.
func (c *compiler) fixedPattern(e *Call) (re *regexp2.Regexp, fixed bool) {
	text, fixed := c.constantOf(e.Args[1])
	modifiers := Undefined
	if fixed && len(e.Args) > 2 {
		modifiers, fixed = c.constantOf(e.Args[2])
	}
	if !fixed {
		return nil, false
	}
	return pattern(text, modifiers), true
}

// pattern remembers the last regular expression that was not a constant.
func (f *frame) pattern(text, modifiers Value) *regexp2.Regexp {
	if text.kind != KindString {
		return nil
	}
	key := modifiers.Str() + "/" + text.str
	if f.patternKey != key || f.patternOf == nil {
		if !f.spend(100 + 16*len(text.str)) {
			return nil
		}
		f.patternKey, f.patternOf = key, pattern(text, modifiers)
	}
	return f.patternOf
}
