//go:build !race

package fasttext

const racing = false
