package clients

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestChangeFeed: the change feeds of @azure/cosmos and azure-cosmos give each change once, through splits of the ranges they follow.
func TestChangeFeed(t *testing.T) {
	if os.Getenv(skipVariable) == "1" {
		t.Skip(skipVariable + "=1: the Python and Node clients are not run")
	}
	p := shared.Platform(t)
	group := p.PutGroup(t)
	account := p.PutAccount(t, group)
	key := p.Key(t, group, account, "primaryMasterKey")
	for _, tt := range []struct {
		c               client
		container, want string
	}{
		{node(t, "changefeed.mjs"), "node", `{"first":40,"seen":[80,80],"nowFirst":0,"fresh":[40,40],"third":[80,80],"one":[7],"ranges":4,"all":[80,80]}`},
		{python(t, "changefeed.py"), "python", `{"first":40,"seen":[80,80],"fresh":[40,40],"one":[7],"ranges":3,"perRange":[80,80],"all":[80,80]}`},
	} {
		t.Run(tt.c.name, func(t *testing.T) {
			split, err := json.Marshal(p.Command("cosmos", "split", account, "feeds", tt.container).Args)
			if err != nil {
				t.Fatal(err)
			}
			words := append([]string{"exec", "--", "env", "ENDPOINT=" + p.SuffixWay(t).Account(account) + "/", "KEY=" + key, "SPLIT=" + string(split)}, tt.c.env...)
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
