module github.com/bulkheadhq/bulkhead/bench

go 1.26
