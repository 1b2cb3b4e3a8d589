package cosmos

import (
	"context"
	"net/http"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/gateway"
)

// scriptSegments are the resource types of scripts below a container.
var scriptSegments = map[catalog.ScriptKind]string{catalog.Procedure: "storedProcedures", catalog.Trigger: "triggers", catalog.Function: "userDefinedFunctions"}

// scriptTypes are Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/storedProcedures, /triggers and /userDefinedFunctions: views of the
// account's catalog, as databases and containers are.
func (s *Service) scriptTypes() []arm.Type {
	return []arm.Type{s.scriptType(catalog.Procedure), s.scriptType(catalog.Trigger), s.scriptType(catalog.Function)}
}

func (s *Service) scriptType(k catalog.ScriptKind) arm.Type {
	t := scripted{s, k}
	return arm.Type{
		Name: t.name(), Versions: sqlVersions(), Untracked: true, OnCreate: http.StatusOK, OnDelete: http.StatusNoContent,
		Put: t.put, Get: t.get, Render: shown(t.get), Applied: t.applied, List: t.list,
	}
}

// scripted is one of the types.
type scripted struct {
	s    *Service
	kind catalog.ScriptKind
}

func (t scripted) name() string { return containerType + "/" + scriptSegments[t.kind] }

// container finds the container the call is about; nil if there is none.
func (t scripted) container(ctx context.Context, c *arm.Call) (account *arm.Resource, db *catalog.Database, con *catalog.Container, err error) {
	if account, err = t.s.accountOf(ctx, c); account == nil || err != nil {
		return nil, nil, nil, err
	}
	db, con, err = t.s.catalog.Container(ctx, account.GUID, c.ID.Names[1], c.ID.Names[2])
	return account, db, con, err
}

func noContainer(err error, c *arm.Call) error {
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.NotFound, "NotFound", "The container '%s' does not exist in the database '%s' of the account '%s'.", c.ID.Names[2], c.ID.Names[1], c.ID.Names[0])
	}
	return err
}

func (t scripted) view(account *arm.Resource, db *catalog.Database, con *catalog.Container, s *catalog.Script) *arm.Resource {
	return view(account, "/sqlDatabases/"+db.Name+"/containers/"+con.Name+"/"+scriptSegments[t.kind]+"/"+s.Name, s.Name, t.name(), gateway.ScriptBody(s))
}

func (t scripted) get(ctx context.Context, c *arm.Call) (*arm.Resource, error) {
	account, db, con, err := t.container(ctx, c)
	if con == nil || err != nil {
		return absent(nil, err)
	}
	found, err := t.s.catalog.Script(ctx, account.GUID, con, t.kind, c.ID.Name())
	if err != nil {
		return absent(nil, err)
	}
	return t.view(account, db, con, found), nil
}

func (t scripted) list(ctx context.Context, c *arm.Call) ([]*arm.Resource, error) {
	account, db, con, err := t.container(ctx, c)
	if con == nil || err != nil {
		return nil, noContainer(err, c)
	}
	all, err := t.s.catalog.Scripts(ctx, account.GUID, con, t.kind)
	out := make([]*arm.Resource, 0, len(all))
	for _, found := range all {
		out = append(out, t.view(account, db, con, found))
	}
	return out, err
}

func (t scripted) put(ctx context.Context, c *arm.Call) error {
	p, err := t.s.readSQL(ctx, c)
	if err != nil {
		return err
	}
	if o := p.body.Options; o != nil && (o.Throughput != nil || o.Autoscale != nil) {
		return bad("A script has no throughput of its own.")
	}
	if _, _, _, err := t.container(ctx, c); err != nil {
		return noContainer(err, c)
	}
	spec, err := gateway.ParseScript(p.body.Resource, t.kind)
	if err == nil {
		err = t.s.gateway.CheckScript(ctx, spec)
	}
	if err != nil {
		return err
	}
	return settle(c, sqlChange{Account: p.account.GUID, Spec: p.body.Resource})
}

// applied makes, changes or removes a script.
func (t scripted) applied(ctx context.Context, c *arm.Call) error {
	r := c.New
	if r == nil {
		r = c.Old
	}
	ch, err := change(r)
	if err != nil {
		return err
	}
	_, con, err := t.s.catalog.Container(ctx, ch.Account, c.ID.Names[1], c.ID.Names[2])
	if err != nil {
		return appliedOnce(err)
	}
	if c.New == nil {
		return appliedOnce(t.s.catalog.DeleteScript(ctx, ch.Account, con, t.kind, c.Old.Name, "", nil))
	}
	spec, err := gateway.ParseScript(ch.Spec, t.kind)
	if err == nil {
		_, _, err = t.s.catalog.CreateScript(ctx, ch.Account, con, t.kind, spec, true, nil)
	}
	return appliedOnce(err)
}
