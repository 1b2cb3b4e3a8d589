// Package fasttext reads, runs, trains and writes linear text classifiers over character n-grams in the supervised format of fastText: dense (.bin) and product-quantised
// (.ftz), with a hierarchical or a plain softmax. Nothing here needs cgo, a network or a clock.
//
// A text is cut at blanks; each word gives its row of the vocabulary, where it has one, and the rows of the n-grams of "<word>" between Options.MinN and MaxN characters, found by a
// 32-bit FNV-1a hash modulo the bucket count. The mean of the rows goes through the output matrix. Labels are the reference's on every text (TestAgreement); probabilities differ by
// rounding only.
//
// A Model is immutable and safe for concurrent use; a Predictor holds the scratch memory of one goroutine and allocates nothing once its buffers have grown. A file is
// untrusted: every size is checked against what the file really holds before memory is taken for it, and limits bound what a model may ask for.
//
// Left out: word vectors (cbow and skip-gram models), negative sampling and one-vs-all losses, and quantised output matrices of models with these. Read says so.
package fasttext
