package clients

import (
	"encoding/json"
	"testing"
)

// TestChangeFeed: the change feeds of @azure/cosmos and azure-cosmos give each change once, through splits of the ranges they follow.
func TestChangeFeed(t *testing.T) {
	p := platform(t)
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
			prints(t, p, tt.c, tt.want, []string{"ENDPOINT=" + p.SuffixWay(t).Account(account) + "/", "KEY=" + key, "SPLIT=" + string(split)})
		})
	}
}
