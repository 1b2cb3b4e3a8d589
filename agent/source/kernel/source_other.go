//go:build !linux

package kernel

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"

	"github.com/bulkheadhq/bulkhead/agent/source"
)

var errNone = fmt.Errorf("%w: %s has none; files can be read", ErrRefused, runtime.GOOS)

// Run implements source.Source: it fails, as only Linux has this audit system.
func (s *Source) Run(context.Context, []byte, *source.Out) error {
	return fmt.Errorf("listen to the audit system: %w", errNone)
}

// Restore fails, as only Linux has this audit system.
func Restore(string, *slog.Logger) (done bool, err error) { return false, errNone }

// Look fails, as only Linux has this audit system.
func Look() (Status, []*Rule, error) { return Status{}, nil, errNone }
