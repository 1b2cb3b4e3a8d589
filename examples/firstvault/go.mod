module github.com/bulkheadhq/bulkhead/examples/firstvault

go 1.26
