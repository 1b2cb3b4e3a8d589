module github.com/bulkheadhq/bulkhead

go 1.26
