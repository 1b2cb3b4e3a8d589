package clients

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// prints runs a program under `bulkhead exec` with these further variables; it has to print the JSON value want.
func prints(t *testing.T, p *harness.Platform, c client, want string, variables []string) {
	t.Helper()
	cmd := p.Command(slices.Concat([]string{"exec", "--", "env"}, variables, c.env, c.command)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, stderr.String())
	}
	var got, wanted any
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("printed %q: %v", out, err)
	}
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(wanted, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}
