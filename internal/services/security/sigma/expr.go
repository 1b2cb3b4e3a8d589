package sigma

import (
	"net/netip"
	"regexp"
	"regexp/syntax"
)

// expr is what a rule asks for: a tree of conditions over tests of single fields.
type expr struct {
	op   exprOp
	kids []*expr // of and, or; one of not
	test *test   // of leaf
}

type exprOp uint8

const (
	opLeaf exprOp = iota
	opAnd
	opOr
	opNot
	opTrue
	opFalse
)

// test asks one thing of one field.
type test struct {
	field string // as the rule writes it; "" for the whole message
	kind  testKind
	cased bool

	patterns []pattern      // testPattern: any of them is the whole value
	re       *regexp.Regexp // testRegexp: found in the value
	syntax   *syntax.Regexp
	prefix   netip.Prefix // testCIDR
	number   float64      // testLess and its kin
	ref      string       // testField: another field
	refMode  refMode

	line, column int
}

type testKind uint8

const (
	testPattern testKind = iota
	testNull             // the event doesn't have the field
	testExists
	testRegexp
	testCIDR
	testLess
	testLessEqual
	testGreater
	testGreaterEqual
	testField
)

// refMode is how a field is compared with another.
type refMode uint8

const (
	refEqual refMode = iota
	refPrefix
	refSuffix
	refContains
)

func leaf(t *test) *expr { return &expr{op: opLeaf, test: t} }

func not(e *expr) *expr { return &expr{op: opNot, kids: []*expr{e}} }

// join makes an and or an or; of one it is that one.
func join(op exprOp, kids []*expr) *expr {
	if len(kids) == 1 {
		return kids[0]
	}
	return &expr{op: op, kids: kids}
}

// walk visits every test.
func (e *expr) walk(visit func(*test)) {
	if e.op == opLeaf {
		visit(e.test)
	}
	for _, k := range e.kids {
		k.walk(visit)
	}
}

func (e *expr) size() int {
	n := 1
	for _, k := range e.kids {
		n += k.size()
	}
	return n
}
