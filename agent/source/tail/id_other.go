//go:build !unix

package tail

import "io/fs"

// idOf is nothing: files are told from each other by their first bytes.
func idOf(fs.FileInfo) fileID { return fileID{} }
