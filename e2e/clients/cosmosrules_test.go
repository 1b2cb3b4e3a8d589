package clients

import "testing"

// Patch, batch, unique keys and throughput with azure-cosmos for Python.
func TestCosmosRules_Python(t *testing.T) {
	p := platform(t)
	c := python(t, "rules.py")
	for _, way := range p.Ways(t) {
		t.Run(way.Name, func(t *testing.T) {
			group := p.PutGroup(t)
			account := p.PutAccount(t, group)
			prints(t, p, c, `{"total":15,"conditional":412,"conflict":409,"batch":[201,200,200,200,204],"read":17,"failed":[424,409],"at":1,"gone":404,"throughput":[400,900]}`,
				[]string{"ENDPOINT=" + way.Account(account) + "/", "KEY=" + p.Key(t, group, account, "primaryMasterKey")})
		})
	}
}
