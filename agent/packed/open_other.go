//go:build !unix

package packed

import "os"

func openFile(path string) (*os.File, error) { return os.Open(path) }
