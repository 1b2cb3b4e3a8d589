//go:build !linux

package app

import "errors"

func allocate(string, int64) error { return errors.ErrUnsupported }
