package clients

import "testing"

// TestScripts: stored procedures, triggers and user-defined functions with @azure/cosmos and azure-cosmos.
func TestScripts(t *testing.T) {
	p := platform(t)
	group := p.PutGroup(t)
	account := p.PutAccount(t, group)
	key := p.Key(t, group, account, "primaryMasterKey")
	for _, tt := range []struct {
		c    client
		want string
	}{
		{node(t, "scripts.mjs"), `{"hello":"Hello, Ada","log":"asked by Ada","imported":[3000],"refused":true,"undone":[400,499],"rolledBack":404,"endless":408,"replaced":1,
			"names":["bulk","endless","hello","undone"],"triggered":"MADE","wrong":400,"taxes":[1,1.5,2]}`},
		{python(t, "scripts.py"), `{"hello":"Hello, Ada","total":6,"again":[400,409],"broken":[400,65535],"stamped":true,"twice":[2,4,6],"gone":[404,null],"left":["sum"]}`},
	} {
		t.Run(tt.c.name, func(t *testing.T) {
			prints(t, p, tt.c, tt.want, []string{"ENDPOINT=" + p.SuffixWay(t).Account(account) + "/", "KEY=" + key})
		})
	}
}
