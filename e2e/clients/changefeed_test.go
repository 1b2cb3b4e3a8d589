package clients

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestChangeFeed: the change feeds of @azure/cosmos and azure-cosmos give each change once, through splits and merges of the ranges they follow.
func TestChangeFeed(t *testing.T) {
	p := platform(t)
	group := p.PutGroup(t)
	account := p.PutAccount(t, group)
	key := p.Key(t, group, account, "primaryMasterKey")
	for _, tt := range []struct {
		c               client
		container, want string
	}{
		{node(t, "changefeed.mjs"), "node", `{"merged":"6","after":{"seen":[100,100],"fresh":[60,60],"fourth":[100,100],"queried":[100,100],"ranges":2},"again":true,"first":40,"nowFirst":0,"third":[80,80],"one":[7],"ranges":4,"all":[80,80]}`},
		{python(t, "changefeed.py"), "python", `{"after":{"seen":[100,100],"fresh":[60,60],"each":[20,20],"queried":0,"all":true,"ranges":2,"again":true},"first":40,"one":[7],"ranges":3,"perRange":[80,80],"all":[80,80]}`},
	} {
		t.Run(tt.c.name, func(t *testing.T) {
			env := []string{"ENDPOINT=" + p.SuffixWay(t).Account(account) + "/", "KEY=" + key}
			for _, verb := range []string{"split", "merge"} {
				command, err := json.Marshal(p.Command("cosmos", verb, account, "feeds", tt.container).Args)
				if err != nil {
					t.Fatal(err)
				}
				env = append(env, strings.ToUpper(verb)+"="+string(command))
			}
			prints(t, p, tt.c, tt.want, env)
		})
	}
}
