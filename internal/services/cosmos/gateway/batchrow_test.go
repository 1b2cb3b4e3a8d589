package gateway

import (
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/hybridrow"
)

// FuzzReadRows: no body of a batch panics, and each has as many operations as records.
func FuzzReadRows(f *testing.F) {
	v := make([]hybridrow.Value, opMinimal+1)
	v[opType], v[opResource] = hybridrow.Value{Set: true, Int: 20}, hybridrow.Value{Set: true, Int: rowDocument}
	v[opBody], v[opDirective] = hybridrow.Value{Set: true, Bytes: []byte(`{"id":"1"}`)}, hybridrow.Value{Set: true, Bytes: []byte("Exclude")}
	v[opPartitionKey], v[opMinimal] = hybridrow.Value{Set: true, Bytes: []byte(`["a"]`)}, hybridrow.Value{Set: true, Int: 1}
	row := operationRow.Append(nil, v)
	f.Add(hybridrow.AppendRecord(hybridrow.AppendRecord(hybridrow.AppendSegment(nil), row), row), row)
	f.Fuzz(func(t *testing.T, body, row []byte) {
		for _, b := range [][]byte{body, hybridrow.AppendRecord(hybridrow.AppendSegment(nil), row)} {
			ops, err := readRows(b)
			if records, _ := hybridrow.Records(b, 1000); err == nil && len(ops) != len(records) {
				t.Errorf("%d operations of %d records", len(ops), len(records))
			}
		}
	})
}
