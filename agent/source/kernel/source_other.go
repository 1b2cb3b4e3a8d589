//go:build !linux

package kernel

import (
	"context"
	"fmt"
	"runtime"

	"github.com/bulkheadhq/bulkhead/agent/source"
)

// Run implements source.Source: it fails, as only Linux has this audit system.
func (s *Source) Run(context.Context, []byte, *source.Out) error {
	return fmt.Errorf("listen to the audit system: %w: %s has none; files can be read", ErrRefused, runtime.GOOS)
}
