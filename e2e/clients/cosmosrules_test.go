package clients

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Patch, batch, unique keys and throughput with azure-cosmos for Python.
func TestCosmosRules_Python(t *testing.T) {
	if os.Getenv(skipVariable) == "1" {
		t.Skip(skipVariable + "=1: the Python and Node clients are not run")
	}
	p := shared.Platform(t)
	c := python(t, "rules.py")
	for _, way := range p.Ways(t) {
		t.Run(way.Name, func(t *testing.T) {
			group := p.PutGroup(t)
			account := p.PutAccount(t, group)
			words := append([]string{"exec", "--", "env", "ENDPOINT=" + way.Account(account) + "/", "KEY=" + p.Key(t, group, account, "primaryMasterKey")}, c.env...)
			cmd := p.Command(append(words, c.command...)...)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v\n%s%s", err, out, stderr.String())
			}
			var got, want any
			if err := json.Unmarshal(out, &got); err != nil {
				t.Fatalf("printed %q: %v", out, err)
			}
			_ = json.Unmarshal([]byte(`{"total":15,"conditional":412,"conflict":409,"batch":[201,200,200,200,204],"read":17,"failed":[424,409],"at":1,"gone":404,"throughput":[400,900]}`), &want)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
		})
	}
}
