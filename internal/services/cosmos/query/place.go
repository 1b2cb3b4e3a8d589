package query

import (
	"cmp"
	"encoding/base64"
	"strconv"
)

// Place is where a row stands in the order of a query. A page that goes on behind it does so by the order alone, not by a count of rows: clients that
// resume an ordered query ask for less than they began with (see PlanInfo.RewrittenQuery), with the token that the larger query came with.
type Place struct {
	Keys []string `json:"k"` // what the row is ordered by
	Doc  string   `json:"d"` // its document's place among those that are equal in that
	Row  int      `json:"r"` // how many rows of the document are done
}

const maxPlace = 4 << 10 // bytes of keys; a query ordered by longer ones counts its rows

// placed makes the place of a row, nil if that is too long.
func placed(keys []Value, doc string, row int) *Place {
	p := &Place{Doc: doc, Row: row}
	size := 0
	for _, v := range keys {
		text := v.placeText()
		if size += len(text); size > maxPlace {
			return nil
		}
		p.Keys = append(p.Keys, text)
	}
	return p
}

// placeText writes a value that forSorting has prepared.
func (v Value) placeText() string {
	switch v.kind {
	case KindNull:
		return "n"
	case KindBool:
		return "b" + strconv.FormatBool(v.b)
	case KindNumber:
		return "d" + strconv.FormatFloat(v.num, 'g', -1, 64)
	case KindString:
		return "s" + v.Str()
	case KindArray:
		return "a" + base64.RawStdEncoding.EncodeToString([]byte(v.sortKey()))
	case KindObject:
		return "o" + base64.RawStdEncoding.EncodeToString([]byte(v.sortKey()))
	}
	return ""
}

// placeValue undoes placeText; what it cannot read is undefined.
func placeValue(text string) Value {
	if text == "" {
		return Undefined
	}
	switch kind, rest := text[0], text[1:]; kind {
	case 'n':
		return Null
	case 'b':
		return Bool(rest == "true")
	case 'd':
		f, _ := strconv.ParseFloat(rest, 64)
		return Number(f)
	case 's':
		return String(rest)
	case 'a', 'o':
		key, _ := base64.RawStdEncoding.DecodeString(rest)
		v := Value{kind: KindArray, str: string(key)}
		if kind == 'o' {
			v.kind = KindObject
		}
		return v
	}
	return Undefined
}

// ordering compares rows as the query orders them.
type ordering struct {
	down []bool // by key
	tied bool   // equal rows come the last created first
}

func (b *block) ordering(env *Env) ordering {
	o := ordering{down: make([]bool, len(b.orderBy)), tied: b.orderBy[0].desc}
	for i, k := range b.orderBy {
		o.down[i] = k.desc || k.metric != nil && k.metric(env) != "euclidean"
	}
	return o
}

func (o ordering) compare(a, b *sortedRow) int {
	for i, down := range o.down {
		c := Order(a.keys[i], b.keys[i])
		if down {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Or(tied(a.doc, b.doc, o.tied), cmp.Compare(a.row, b.row))
}

// row is the place as a row to compare with; nil if it is not one of this query.
func (p *Place) row(b *block) *sortedRow {
	if p == nil || len(p.Keys) != len(b.orderBy) {
		return nil
	}
	r := &sortedRow{doc: p.Doc, row: p.Row}
	for _, text := range p.Keys {
		r.keys = append(r.keys, placeValue(text))
	}
	return r
}
