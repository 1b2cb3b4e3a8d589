package query

// Query is a parsed query or subquery.
type Query struct {
	Span     Span
	Text     string // the whole text; empty in a subquery
	Distinct bool
	Top      *Count // nil: none
	Star     bool   // SELECT *
	Value    Expr   // SELECT VALUE e
	Items    []SelectItem
	StarSpan Span
	From     Collection // nil: none
	Where    Expr
	GroupBy  []Expr
	OrderBy  []OrderItem
	Rank     bool   // ORDER BY RANK
	Offset   *Count // nil: none, as Limit
	Limit    *Count
}

// Count is the number of a TOP, OFFSET or LIMIT clause: a literal or a parameter.
type Count struct {
	Span  Span
	Param string // with its @; empty for a literal
	N     uint64 // at most 32 bits in a parsed query
}

// SelectItem is one entry of a select list. Alias is empty where there is no AS.
type SelectItem struct {
	Expr  Expr
	Alias string
}

// OrderItem is one entry of ORDER BY.
type OrderItem struct {
	Expr Expr
	Desc bool
	// Explicit tells that the query says ASC or DESC itself.
	Explicit bool
}

// Collection is what stands in FROM: *PathCollection, *SubqueryCollection, *IterateCollection or *JoinCollection.
type Collection interface{ collection() }

// PathCollection is `root.path[0]["x"] AS alias`.
type PathCollection struct {
	Span  Span
	Root  string
	Path  []PathSegment
	Alias string
}

// PathSegment is one step of a path: a name or an index.
type PathSegment struct {
	Name    string
	Index   int
	IsIndex bool
	Quoted  bool // written as ["name"]
}

// SubqueryCollection is `(SELECT ...) AS alias`.
type SubqueryCollection struct {
	Query *Query
	Alias string
}

// IterateCollection is `name IN source`; Source is a *PathCollection or a *SubqueryCollection without alias.
type IterateCollection struct {
	Name   string
	Source Collection
}

// JoinCollection is `left JOIN right`.
type JoinCollection struct{ Left, Right Collection }

func (*PathCollection) collection()     {}
func (*SubqueryCollection) collection() {}
func (*IterateCollection) collection()  {}
func (*JoinCollection) collection()     {}

// Expr is a scalar expression, one of the types below.
type Expr interface{ Pos() Span }

type at struct{ Span Span }

// Pos is where the expression stands in the text.
func (a at) Pos() Span { return a.Span }

// The scalar expressions.
type (
	// Literal is a constant; an Undefined Value is the word undefined.
	Literal struct {
		at
		Value Value
	}
	// Ident is a bare name.
	Ident struct {
		at
		Name string
	}
	// Param is a parameter, its name with the @.
	Param struct {
		at
		Name string
	}
	// Property is `Base.Name`.
	Property struct {
		at
		Base Expr
		Name string
	}
	// Index is `Base[Key]`.
	Index struct {
		at
		Base, Key Expr
	}
	// Unary is `Op X`; Op is -, +, ~ or NOT.
	Unary struct {
		at
		Op string
		X  Expr
	}
	// Binary is `X Op Y`, with Op in upper case; ?? is one.
	Binary struct {
		at
		Op   string
		X, Y Expr
	}
	// Conditional is `If ? Then : Else`.
	Conditional struct {
		at
		If, Then, Else Expr
	}
	// Between is `X [NOT] BETWEEN Low AND High`.
	Between struct {
		at
		X, Low, High Expr
		Not          bool
	}
	// In is `X [NOT] IN (List)`.
	In struct {
		at
		X    Expr
		List []Expr
		Not  bool
	}
	// Like is `X [NOT] LIKE Pattern [ESCAPE Escape]`.
	Like struct {
		at
		X, Pattern Expr
		Escape     string
		HasEscape  bool
		Not        bool
	}
	// Call is a function call.
	Call struct {
		at
		Name string
		UDF  bool
		Args []Expr
	}
	// ArrayLit is `[List]`.
	ArrayLit struct {
		at
		List []Expr
	}
	// ObjectLit is `{"name": value}`.
	ObjectLit struct {
		at
		Names  []string
		Values []Expr
	}
	// Subquery is `Kind(SELECT ...)`; Kind is empty, EXISTS, ARRAY, ALL, FIRST or LAST.
	Subquery struct {
		at
		Kind  string
		Query *Query
	}
)
