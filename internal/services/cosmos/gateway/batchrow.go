package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/hybridrow"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// The .NET client sends batches as records of HybridRow, and wants the results so (the schemas are its HybridRowBatchSchemas.json). All that
// an operation can say in JSON it can say here; the operation's and the resource's type are the client's numbers for them.

// Columns of operationRow and resultRow.
const (
	opType = iota
	opResource
	opPartitionKey
	opEPK
	opID
	opBinaryID
	opBody
	opDirective
	opIfMatch
	opIfNoneMatch
	opTTL
	opMinimal
)

const (
	resultStatus = iota
	resultSubstatus
	resultETag
	resultBody
	resultRetry
	resultCharge
)

var operationRow = hybridrow.NewLayout(2145473648,
	hybridrow.Column{Name: "operationType", Type: hybridrow.Int32, Storage: hybridrow.Fixed},
	hybridrow.Column{Name: "resourceType", Type: hybridrow.Int32, Storage: hybridrow.Fixed},
	hybridrow.Column{Name: "partitionKey", Type: hybridrow.UTF8, Storage: hybridrow.Variable},
	hybridrow.Column{Name: "effectivePartitionKey", Type: hybridrow.Binary, Storage: hybridrow.Variable},
	hybridrow.Column{Name: "id", Type: hybridrow.UTF8, Storage: hybridrow.Variable},
	hybridrow.Column{Name: "binaryId", Type: hybridrow.Binary, Storage: hybridrow.Variable},
	hybridrow.Column{Name: "resourceBody", Type: hybridrow.Binary, Storage: hybridrow.Variable},
	hybridrow.Column{Name: "indexingDirective", Type: hybridrow.UTF8, Storage: hybridrow.Sparse},
	hybridrow.Column{Name: "ifMatch", Type: hybridrow.UTF8, Storage: hybridrow.Sparse},
	hybridrow.Column{Name: "ifNoneMatch", Type: hybridrow.UTF8, Storage: hybridrow.Sparse},
	hybridrow.Column{Name: "timeToLiveInSeconds", Type: hybridrow.Int32, Storage: hybridrow.Sparse},
	hybridrow.Column{Name: "minimalReturnPreference", Type: hybridrow.Bool, Storage: hybridrow.Sparse},
)

var resultRow = hybridrow.NewLayout(2145473649,
	hybridrow.Column{Name: "statusCode", Type: hybridrow.Int32, Storage: hybridrow.Fixed},
	hybridrow.Column{Name: "subStatusCode", Type: hybridrow.Int32, Storage: hybridrow.Fixed},
	hybridrow.Column{Name: "eTag", Type: hybridrow.UTF8, Storage: hybridrow.Variable},
	hybridrow.Column{Name: "resourceBody", Type: hybridrow.Binary, Storage: hybridrow.Variable},
	hybridrow.Column{Name: "retryAfterMilliseconds", Type: hybridrow.UInt32, Storage: hybridrow.Sparse},
	hybridrow.Column{Name: "requestCharge", Type: hybridrow.Float64, Storage: hybridrow.Sparse},
)

// rowOperations are the operation types of rows, as JSON names them.
var rowOperations = map[int64]string{0: "Create", 1: "Patch", 2: "Read", 4: "Delete", 5: "Replace", 20: "Upsert"}

const rowDocument = 2 // the resource type

// readRows reads the operations of a body of rows.
func readRows(body []byte) ([]batchOperation, error) {
	rows, err := hybridrow.Records(body, maxBatch+1) // one more is told as too many
	if err != nil {
		return nil, invalid("The body of the batch cannot be read as HybridRow records: %s.", err)
	}
	ops := make([]batchOperation, len(rows))
	for i, row := range rows {
		v, err := operationRow.Decode(row)
		if err == nil {
			err = ops[i].fromRow(v)
		}
		if err != nil {
			return nil, invalid("The operation %d of the batch cannot be read: %s.", i, err)
		}
	}
	return ops, nil
}

func (op *batchOperation) fromRow(v []hybridrow.Value) error {
	switch {
	case v[opEPK].Set, v[opBinaryID].Set:
		return errors.New("documents are addressed by partitionKey and id here, not by effectivePartitionKey or binaryId")
	case v[opTTL].Set:
		return errors.New("timeToLiveInSeconds is not implemented; a document has a ttl of its own")
	case v[opResource].Set && v[opResource].Int != rowDocument:
		return fmt.Errorf("the resource type %d is not that of documents", v[opResource].Int)
	}
	name, known := rowOperations[v[opType].Int]
	if !known {
		name = fmt.Sprint(v[opType].Int)
	}
	*op = batchOperation{
		Type: name, ID: string(v[opID].Bytes), IfMatch: string(v[opIfMatch].Bytes), IfNoneMatch: string(v[opIfNoneMatch].Bytes),
		PartitionKey: string(v[opPartitionKey].Bytes), Directive: string(v[opDirective].Bytes), Minimal: v[opMinimal].Int != 0,
	}
	if v[opBody].Set {
		op.Body = json.RawMessage(v[opBody].Bytes)
	}
	return nil
}

// appendRow appends the result as a record. Where JSON has a message a row has it as its body.
func (r *batchResult) appendRow(b []byte) []byte {
	body := []byte(r.Body)
	if r.Message != "" {
		body, _ = json.Marshal(map[string]string{"code": r.Code, "message": r.Message}) // strings always marshal
	}
	row := resultRow.Append(nil, []hybridrow.Value{
		resultStatus:    {Set: true, Int: int64(r.Status)},
		resultSubstatus: {Set: r.Substatus != 0, Int: int64(r.Substatus)},
		resultETag:      {Set: r.ETag != "", Bytes: []byte(r.ETag)},
		resultBody:      {Set: body != nil, Bytes: body},
		resultRetry:     {Set: r.Retry > 0, Int: r.Retry},
		resultCharge:    {Set: true, Float: r.Charge},
	})
	return hybridrow.AppendRecord(b, row)
}

// answerBatch answers the results in the form of the request: 207 if one of them is no success.
func (c *call) answerBatch(results []batchResult) *wire.Reply {
	out := &wire.Reply{Status: http.StatusOK}
	for i := range results {
		if results[i].Status >= http.StatusMultipleChoices {
			out.Status = http.StatusMultiStatus
		}
	}
	if !hybridrow.Is(c.Body) {
		out.Body = results
		return out
	}
	b := hybridrow.AppendSegment(nil)
	for i := range results {
		b = results[i].appendRow(b)
	}
	out.Body, out.Header = b, http.Header{"Content-Type": {"application/octet-stream"}}
	return out
}
