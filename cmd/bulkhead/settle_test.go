package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/app"
)

// Flags win over the environment, that over the file; lists are as they were given, of each kind of flag.
func TestSettle_Lists(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	file := filepath.Join(one, "up.yaml")
	if err := os.WriteFile(file, []byte("securityRules: [/file]\npackageRoots: [/file]\nfederatedIssuers: [https://file]\nsuffix: file.example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("BULKHEAD_PACKAGE_ROOT", one+","+two)
	t.Setenv("BULKHEAD_SECURITY_RULES", "/environment")
	cfg, name := app.Defaults(), ""
	f := upFlags(&cfg, &name)
	if err := f.Parse([]string{"--config", file, "--security-rules", "/a", "--security-rules", "/b,/c", "--log-level", "warn"}); err != nil {
		t.Fatal(err)
	}
	if err := settle(&cfg, f, name); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(cfg.SecurityRules, []string{"/a", "/b", "/c"}) || !slices.Equal(cfg.PackageRoots, []string{one, two}) || !slices.Equal(cfg.FederatedIssuers, []string{"https://file"}) ||
		cfg.Suffix != "file.example" || cfg.LogLevel != "warn" {
		t.Errorf("rules %q, roots %q, issuers %q, suffix %s, level %s", cfg.SecurityRules, cfg.PackageRoots, cfg.FederatedIssuers, cfg.Suffix, cfg.LogLevel)
	}
}
