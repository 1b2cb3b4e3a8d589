//go:build race

package fasttext

const racing = true
