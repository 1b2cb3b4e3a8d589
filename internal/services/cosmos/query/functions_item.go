package query

import "github.com/bulkheadhq/bulkhead/internal/services/cosmos/rid"

// itemFunctions are about the item itself.
var itemFunctions = []function{{name: "DOCUMENTID", min: 1, max: 1, one: documentID}}

// documentID is the number of an item in its container, out of its _rid. Undefined for what is no item.
func documentID(v Value) Value {
	text := v.Field("_rid")
	if text.kind != KindString {
		return Undefined
	}
	id, err := rid.Parse(text.str)
	if err != nil || id.Kind() != rid.Document {
		return Undefined
	}
	return Integer(int64(id.Number()))
}
