// Package monitor runs Azure's own clients for Azure Monitor against the platform.
package monitor

import (
	"os"
	"testing"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

var shared harness.Shared

func TestMain(m *testing.M) { os.Exit(shared.Main(m)) }
