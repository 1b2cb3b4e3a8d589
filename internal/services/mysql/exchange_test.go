package mysql

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/wire"
	"github.com/bulkheadhq/bulkhead/internal/wire/wiretest"
)

func TestExchanges(t *testing.T) {
	t.Parallel()
	wiretest.Run(t, "testdata", func(t *testing.T) wiretest.Target {
		p := newPlatform(t, t.TempDir(), false)
		return wiretest.Target{Handler: p.handler, Vars: map[string]string{"sub": p.sub}}
	})
}

func TestRoutes_ObeyTheRulesOfAll(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, t.TempDir(), false)
	p.server("B_Gen5_1", "")
	wiretest.CheckRoutes(t, p.handler, p.mysql.Service().Routes, wiretest.Check{Names: map[wire.HostKind]string{wire.HostMySQL: "db1"}, Params: map[string]string{"file": "x.log"}})
}

// writeLog puts a log file where a server's logs are.
func writeLog(t *testing.T, folder, name, text string) {
	t.Helper()
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
