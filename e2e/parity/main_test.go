package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const calls = `{"Service":"vault","Operation":"SecretGet","Agent":"azsdk-go-azsecrets/1.5","Status":401}
{"Service":"vault","Operation":"SecretGet","Agent":"azsdk-go-azsecrets/1.5","Status":200}
{"Service":"vault","Operation":"SecretGet","Agent":"azsdk-python-keyvault AZURECLI/2.91","Status":403}
{"Service":"login","Operation":"Token","Agent":"curl/8","Status":200}
`

func ledger(t *testing.T, lines string) seen {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "calls-1.jsonl"), []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPage(t *testing.T) {
	s := ledger(t, calls)
	want := seen{{"vault", "SecretGet"}: {"Go SDK": true, "az": false}}
	if diff := cmp.Diff(want, s, cmp.AllowUnexported(operation{})); diff != "" {
		t.Fatalf("read (-want +got):\n%s", diff)
	}
	if row := "| SecretGet | refused | yes |"; !strings.Contains(s.page(), row) {
		t.Errorf("the page lacks %q:\n%s", row, s.page())
	}
}

// A page holds against a run that shows all it promises; of one that shows less it says what is missing.
func TestCheck(t *testing.T) {
	file := filepath.Join(t.TempDir(), "parity.md")
	if err := os.WriteFile(file, []byte(ledger(t, calls).page()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := ledger(t, calls).check(file); err != nil {
		t.Error(err)
	}
	if err := ledger(t, strings.Replace(calls, `"Status":200`, `"Status":403`, 1)).check(file); err == nil {
		t.Error("a promise that this run did not show was taken")
	}
	others := `{"Service":"vault","Operation":"SecretGet","Agent":"azsdk-js-x","Status":200}
`
	if err := ledger(t, others).check(file); err != nil {
		t.Errorf("a client that was not run: %v", err)
	}
}
