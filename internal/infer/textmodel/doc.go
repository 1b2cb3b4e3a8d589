// Package textmodel is what the models of texts that Bulkhead trains itself have in common: how words are hashed into buckets, how a language is named, how a folder of
// training data is read, and the file that holds the tables.
//
// It leaves out what a model learns and how: that is each model's own (sentiment, keyphrase).
//
// One exchange: Pack("BHTEST01", write) gives a file, Unpack("BHTEST01", file) a reader of what write wrote; of a file that begins otherwise it answers ErrMagic.
package textmodel
