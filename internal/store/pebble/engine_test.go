package pebble_test

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
	"github.com/bulkheadhq/bulkhead/internal/store/storetest"
)

func open(t *testing.T, dir string, o pebble.Options) *pebble.Engine {
	t.Helper()
	e, err := pebble.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func onDisk(t *testing.T, dir string) store.Store {
	t.Helper()
	return open(t, dir, pebble.Options{})
}

func TestContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, onDisk)
}

func TestContract_OneAtATime(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	storetest.Run(t, func(t *testing.T, dir string) store.Store {
		return open(t, dir, pebble.Options{MaxGroup: 1, FS: disk})
	})
}

func TestKill(t *testing.T) { storetest.RunKill(t, "TestKill", onDisk) }
