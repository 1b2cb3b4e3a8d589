module github.com/bulkheadhq/bulkhead/tools/record

go 1.26.0

require github.com/bulkheadhq/bulkhead v0.0.0

require golang.org/x/sys v0.50.0 // indirect

replace github.com/bulkheadhq/bulkhead => ../..
