package cosmos

import (
	"context"
	"net/http"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/gateway"
)

// specVersion is the x-ms-version by whose rules containers made on the control plane are read.
const specVersion = "2020-07-15"

// containersType is Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers.
func (s *Service) containersType() arm.Type {
	return arm.Type{
		Name: containerType, Versions: sqlVersions(), Untracked: true, OnCreate: http.StatusOK, OnDelete: http.StatusNoContent,
		Put: s.putContainer, Get: s.getContainer, Render: shown(s.getContainer),
		Applied: s.appliedContainer,
		Actions: []arm.Action{{Verb: "partitionMerge", Writes: true, Handler: s.partitionMerge}},
		List: func(ctx context.Context, c *arm.Call) ([]*arm.Resource, error) {
			account, err := s.accountOf(ctx, c)
			if account == nil || err != nil {
				return nil, err
			}
			db, err := s.catalog.Database(ctx, account.GUID, c.ID.Names[1])
			if err != nil {
				return nil, noSQLParent(err, c)
			}
			all, err := s.catalog.Containers(ctx, account.GUID, db)
			out := make([]*arm.Resource, 0, len(all))
			for _, con := range all {
				out = append(out, viewContainer(account, db, con))
			}
			return out, err
		},
	}
}

// noSQLParent words that a child's database is not there.
func noSQLParent(err error, c *arm.Call) error {
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.NotFound, "NotFound", "The database '%s' does not exist in the account '%s'.", c.ID.Names[1], c.ID.Names[0])
	}
	return err
}

func viewContainer(account *arm.Resource, db *catalog.Database, con *catalog.Container) *arm.Resource {
	return view(account, "/sqlDatabases/"+db.Name+"/containers/"+con.Name, con.Name, containerType, gateway.ContainerBody(con))
}

func (s *Service) getContainer(ctx context.Context, c *arm.Call) (*arm.Resource, error) {
	account, err := s.accountOf(ctx, c)
	if account == nil || err != nil {
		return nil, err
	}
	db, con, err := s.catalog.Container(ctx, account.GUID, c.ID.Names[1], c.ID.Names[2])
	if err != nil {
		return absent(nil, err)
	}
	return viewContainer(account, db, con), nil
}

func (s *Service) putContainer(ctx context.Context, c *arm.Call) error {
	p, err := s.readSQL(ctx, c)
	if err != nil {
		return err
	}
	t, err := p.body.Options.throughput(p.st)
	if err != nil {
		return err
	}
	if _, err := s.catalog.Database(ctx, p.account.GUID, c.ID.Names[1]); err != nil {
		return noSQLParent(err, c)
	}
	spec, err := catalog.ParseSpec(p.body.Resource, specVersion)
	if err != nil {
		return err
	}
	_, con, err := s.catalog.Container(ctx, p.account.GUID, c.ID.Names[1], c.ID.Names[2])
	switch {
	case fault.Is(err, fault.NotFound):
	case err != nil:
		return err
	default:
		if err := con.CheckReplace(spec); err != nil {
			return err
		}
	}
	return settle(c, sqlChange{Account: p.account.GUID, Spec: p.body.Resource, T: t, Serverless: p.st.serverless()})
}

// appliedContainer makes, changes or removes a container.
func (s *Service) appliedContainer(ctx context.Context, c *arm.Call) error {
	db := c.ID.Names[1]
	if c.New == nil {
		ch, err := change(c.Old)
		if err == nil {
			err = s.catalog.DeleteContainer(ctx, ch.Account, db, c.Old.Name, "", nil)
		}
		return appliedOnce(err)
	}
	ch, err := change(c.New)
	if err != nil {
		return err
	}
	spec, err := catalog.ParseSpec(ch.Spec, specVersion)
	if err != nil {
		return appliedOnce(err)
	}
	spec.Serverless = ch.Serverless
	if _, err = s.catalog.CreateContainer(ctx, ch.Account, db, spec, ch.T, nil); fault.Is(err, fault.Conflict) {
		_, err = s.catalog.ReplaceContainer(ctx, ch.Account, db, spec.Name, "", spec, nil)
	}
	return appliedOnce(err)
}
