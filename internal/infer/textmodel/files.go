package textmodel

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Files visits every file under the paths, in the order of their names, and stops at the first error, which then tells the file.
func Files(paths []string, visit func(path string) error) error {
	for _, path := range paths {
		err := filepath.WalkDir(path, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			if err := visit(path); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("read training data: %w", err)
		}
	}
	return nil
}

// Lines reads a file line by line, the first numbered 0. A line of more than 1 MiB is an error.
func Lines(path string, each func(n int, line string) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for n := 0; s.Scan(); n++ {
		if err := each(n, s.Text()); err != nil {
			return err
		}
	}
	return s.Err()
}
