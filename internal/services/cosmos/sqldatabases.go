package cosmos

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/gateway"
)

const (
	databaseType  = typeName + "/sqlDatabases"
	containerType = databaseType + "/containers"
)

// Databases and containers as resources are a view of the account's catalog: the control plane stores nothing of them. A change is checked, then committed
// to the activity log, then made by Applied in the account's own shard, which a crash does not keep from happening.

// sqlBody is the properties of a PUT.
type sqlBody struct {
	Resource json.RawMessage `json:"resource"`
	Options  *sqlOptions     `json:"options,omitempty"`
}

type sqlOptions struct {
	Throughput *looseInt     `json:"throughput,omitempty"`
	Autoscale  *sqlAutoscale `json:"autoscaleSettings,omitempty"`
}

type sqlAutoscale struct {
	Max looseInt `json:"maxThroughput"`
}

// looseInt is a number that may stand in quotes: az sends some so.
type looseInt int

// UnmarshalJSON implements json.Unmarshaler.
func (n *looseInt) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(bytes.Trim(b, `"`), (*int)(n))
}

// throughput is what the options provision; nil: nothing.
func (o *sqlOptions) throughput(account *settings) (*catalog.Throughput, error) {
	var t catalog.Throughput
	switch {
	case o == nil || o.Throughput == nil && o.Autoscale == nil:
		return nil, nil
	case account != nil && account.serverless():
		return nil, bad("Setting offer throughput or autopilot on container is not supported for serverless accounts.")
	case o.Throughput != nil && o.Autoscale != nil:
		return nil, bad("Only one of throughput and autoscaleSettings may be given in the options.")
	case o.Throughput != nil:
		t.Manual = int(*o.Throughput)
	default:
		if t.Max = int(o.Autoscale.Max); t.Max == 0 {
			return nil, bad("The maxThroughput of the autoscaleSettings is missing.")
		}
	}
	return &t, t.Check()
}

// sqlPut is a PUT of a database or container, read.
type sqlPut struct {
	account *arm.Resource
	st      *settings
	body    sqlBody
}

func (s *Service) readSQL(ctx context.Context, c *arm.Call) (*sqlPut, error) {
	account, err := s.needAccount(ctx, c)
	if err != nil {
		return nil, err
	}
	p := &sqlPut{account: account}
	if p.st, err = decodeSettings(account.Properties); err != nil {
		return nil, err
	}
	if err := c.Body.Decode("properties", &p.body); err != nil {
		return nil, err
	}
	var named struct {
		ID     string `json:"id"`
		Create string `json:"createMode"`
	}
	if p.body.Resource == nil || json.Unmarshal(p.body.Resource, &named) != nil {
		return nil, bad("The property properties.resource is missing or invalid.")
	}
	switch {
	case named.ID != c.ID.Name():
		return nil, bad("The id '%.300s' of the resource is not the name '%s' in the path.", named.ID, c.ID.Name())
	case named.Create != "" && named.Create != "Default":
		return nil, bad("The create mode '%.100s': not supported by this platform yet. Nothing was changed.", named.Create)
	}
	return p, nil
}

// sqlChange is what Applied has to do.
type sqlChange struct {
	Account string              `json:"account"`
	Spec    json.RawMessage     `json:"spec,omitempty"`
	T       *catalog.Throughput `json:"throughput,omitempty"`
	// Serverless is whether the account has no throughput.
	Serverless bool `json:"serverless,omitempty"`
}

// settle leaves to Applied what it has to do. It travels in Private, which is never shown.
func settle(c *arm.Call, ch sqlChange) (err error) {
	c.New.Private, err = json.Marshal(ch)
	c.New.ETag = ""
	return err
}

// change reads it back.
func change(r *arm.Resource) (ch sqlChange, err error) {
	err = json.Unmarshal(r.Private, &ch)
	return ch, err
}

// appliedOnce tells whether a change of the catalog is done with: made, or overtaken by another one that leaves nothing to do again.
func appliedOnce(err error) error {
	if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Conflict) || fault.Is(err, fault.Invalid) {
		return nil
	}
	return err
}

// view makes a resource that shows a body.
func view(account *arm.Resource, path, name, typ string, body json.RawMessage) *arm.Resource {
	props := append(append([]byte(`{"resource":`), body...), `,"options":{}}`...)
	private, _ := json.Marshal(sqlChange{Account: account.GUID}) // strings always marshal
	return &arm.Resource{ID: account.ID + path, Name: name, Type: typ, Properties: props, Private: private, GUID: account.GUID}
}

// shown is the Render of views: after a PUT, what is there now.
func shown(get func(ctx context.Context, c *arm.Call) (*arm.Resource, error)) func(ctx context.Context, c *arm.Call, r *arm.Resource) (json.RawMessage, error) {
	return func(ctx context.Context, c *arm.Call, r *arm.Resource) (json.RawMessage, error) {
		if r != c.New {
			return r.Properties, nil
		}
		now, err := get(ctx, c)
		if err == nil && now == nil {
			err = fault.New(fault.Conflict, "Conflict", "'%s' was removed or changed by others meanwhile.", c.ID)
		}
		if err != nil {
			return nil, err
		}
		return now.Properties, nil
	}
}

// absent turns a catalog's 404 into nothing.
func absent(r *arm.Resource, err error) (*arm.Resource, error) {
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	return r, err
}

// databasesType is Microsoft.DocumentDB/databaseAccounts/sqlDatabases.
func (s *Service) databasesType() arm.Type {
	return arm.Type{
		Name: databaseType, Versions: sqlVersions(), Untracked: true, OnCreate: http.StatusOK, OnDelete: http.StatusNoContent,
		Put: func(ctx context.Context, c *arm.Call) error {
			p, err := s.readSQL(ctx, c)
			if err != nil {
				return err
			}
			t, err := p.body.Options.throughput(p.st)
			if err == nil {
				err = catalog.CheckName(c.ID.Name())
			}
			if err != nil {
				return err
			}
			return settle(c, sqlChange{Account: p.account.GUID, T: t})
		},
		Applied: func(ctx context.Context, c *arm.Call) error {
			if c.New == nil {
				ch, err := change(c.Old)
				if err == nil {
					err = s.catalog.DeleteDatabase(ctx, ch.Account, c.Old.Name, "", nil)
				}
				return appliedOnce(err)
			}
			ch, err := change(c.New)
			if err == nil {
				_, err = s.catalog.CreateDatabase(ctx, ch.Account, c.New.Name, ch.T, nil)
			}
			return appliedOnce(err)
		},
		Get: s.getDatabase, Render: shown(s.getDatabase),
		List: func(ctx context.Context, c *arm.Call) ([]*arm.Resource, error) {
			account, err := s.accountOf(ctx, c)
			if account == nil || err != nil {
				return nil, err
			}
			all, err := s.catalog.Databases(ctx, account.GUID)
			out := make([]*arm.Resource, 0, len(all))
			for _, db := range all {
				out = append(out, viewDatabase(account, db))
			}
			return out, err
		},
	}
}

func viewDatabase(account *arm.Resource, db *catalog.Database) *arm.Resource {
	return view(account, "/sqlDatabases/"+db.Name, db.Name, databaseType, gateway.DatabaseBody(db))
}

func (s *Service) getDatabase(ctx context.Context, c *arm.Call) (*arm.Resource, error) {
	account, err := s.accountOf(ctx, c)
	if account == nil || err != nil {
		return nil, err
	}
	db, err := s.catalog.Database(ctx, account.GUID, c.ID.Names[1])
	if err != nil {
		return absent(nil, err)
	}
	return viewDatabase(account, db), nil
}

// sqlVersions are the api-versions that know databases and containers as resources.
func sqlVersions() []string {
	var out []string
	for _, v := range versions {
		if v >= "2019-08-01" {
			out = append(out, v)
		}
	}
	return out
}
