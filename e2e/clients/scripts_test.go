package clients

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestScripts: stored procedures, triggers and user-defined functions with @azure/cosmos and azure-cosmos.
func TestScripts(t *testing.T) {
	if os.Getenv(skipVariable) == "1" {
		t.Skip(skipVariable + "=1: the Python and Node clients are not run")
	}
	p := shared.Platform(t)
	group := p.PutGroup(t)
	account := p.PutAccount(t, group)
	key := p.Key(t, group, account, "primaryMasterKey")
	for _, tt := range []struct {
		c    client
		want string
	}{
		{node(t, "scripts.mjs"), `{"hello":"Hello, Ada","log":"asked by Ada","imported":[400],"refused":true,"undone":[400,499],"rolledBack":404,"endless":408,"replaced":1,
			"names":["bulk","endless","hello","undone"],"triggered":"MADE","wrong":400,"taxes":[1,1.5,2]}`},
		{python(t, "scripts.py"), `{"hello":"Hello, Ada","total":6,"again":[400,409],"broken":[400,65535],"stamped":true,"twice":[2,4,6],"gone":[404,null],"left":["sum"]}`},
	} {
		t.Run(tt.c.name, func(t *testing.T) {
			words := append([]string{"exec", "--", "env", "ENDPOINT=" + p.SuffixWay(t).Account(account) + "/", "KEY=" + key}, tt.c.env...)
			cmd := p.Command(append(words, tt.c.command...)...)
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
			if err := json.Unmarshal([]byte(tt.want), &want); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
		})
	}
}
