package cosmos

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// throughputType is {database or container}/throughputSettings, of which there is one: default.
func (s *Service) throughputType(of string) arm.Type {
	return arm.Type{
		Name: of + "/throughputSettings", Versions: sqlVersions(), Untracked: true, OnCreate: http.StatusOK,
		Put: s.putThroughput, Get: s.getThroughput, Render: shown(s.getThroughput),
		Delete: func(context.Context, *arm.Call) error {
			return fault.New(fault.MethodNotAllowed, "MethodNotAllowed", "Throughput settings can't be deleted; they end with their database or container.")
		},
		Applied: func(ctx context.Context, c *arm.Call) error {
			if c.New == nil {
				return nil
			}
			ch, err := change(c.New)
			if err != nil {
				return err
			}
			db, coll := offerOwner(c)
			o, err := s.catalog.OfferOf(ctx, ch.Account, db, coll)
			if err == nil && o != nil {
				_, err = s.catalog.ReplaceOffer(ctx, ch.Account, o.RID().String(), "", *ch.T, nil)
			}
			return appliedOnce(err)
		},
		List: func(ctx context.Context, c *arm.Call) ([]*arm.Resource, error) {
			r, err := s.getThroughput(ctx, c)
			if r == nil || err != nil {
				return nil, err
			}
			return []*arm.Resource{r}, nil
		},
		Actions: []arm.Action{
			{Verb: "migrateToAutoscale", Writes: true, Handler: s.migrate(true)},
			{Verb: "migrateToManualThroughput", Writes: true, Handler: s.migrate(false)},
		},
	}
}

// offerOwner is the database and, if it is one's, the container the settings are of.
func offerOwner(c *arm.Call) (db, coll string) {
	if len(c.ID.Types) == 4 {
		return c.ID.Names[1], c.ID.Names[2]
	}
	return c.ID.Names[1], ""
}

// shownThroughput is an offer on the wire.
type shownThroughput struct {
	Throughput int             `json:"throughput"`
	Minimum    string          `json:"minimumThroughput"`
	Pending    string          `json:"offerReplacePending"`
	Autoscale  *shownAutoscale `json:"autoscaleSettings,omitempty"`
	RID        string          `json:"_rid"`
	ETag       string          `json:"_etag"`
	Time       int64           `json:"_ts"`
}

type shownAutoscale struct {
	Max int `json:"maxThroughput"`
}

func (s *Service) getThroughput(ctx context.Context, c *arm.Call) (*arm.Resource, error) {
	account, err := s.accountOf(ctx, c)
	if account == nil || err != nil || !c.ID.Collection() && !strings.EqualFold(c.ID.Name(), "default") {
		return nil, err
	}
	db, coll := offerOwner(c)
	o, err := s.catalog.OfferOf(ctx, account.GUID, db, coll)
	if o == nil || err != nil {
		return absent(nil, err)
	}
	pending, err := s.catalog.Pending(ctx, account.GUID, o)
	if err != nil {
		return nil, err
	}
	out := shownThroughput{Throughput: o.Manual, Minimum: fmt.Sprint(o.Minimum()), Pending: strconv.FormatBool(pending), RID: o.RID().String(), ETag: `"` + o.ETag + `"`, Time: o.Time}
	if o.Max != 0 {
		out.Throughput, out.Autoscale = o.Max/10, &shownAutoscale{o.Max}
	}
	raw, err := json.Marshal(out)
	path := "/sqlDatabases/" + db
	if coll != "" {
		path += "/containers/" + coll
	}
	return view(account, path+"/throughputSettings/default", "default", c.Type.Name, raw), err
}

func (s *Service) putThroughput(ctx context.Context, c *arm.Call) error {
	account, err := s.needAccount(ctx, c)
	if err != nil {
		return err
	}
	db, coll := offerOwner(c)
	o, err := s.catalog.OfferOf(ctx, account.GUID, db, coll)
	switch {
	case err != nil:
		return err
	case o == nil || !strings.EqualFold(c.ID.Name(), "default"):
		return fault.New(fault.NotFound, "NotFound", "'%s' does not exist: throughput that was not provisioned when the resource was made cannot be added.", c.ID)
	}
	var body struct {
		Resource *sqlOptions `json:"resource"`
	}
	if err := c.Body.Decode("properties", &body); err != nil {
		return err
	}
	t, err := body.Resource.throughput(nil)
	switch {
	case err != nil:
		return err
	case t == nil:
		return bad("The property properties.resource needs throughput or autoscaleSettings.")
	}
	if err := o.CheckReplace(*t); err != nil {
		return err
	}
	return settle(c, sqlChange{Account: account.GUID, T: t})
}

// migrate makes manual throughput autoscale, or the other way.
func (s *Service) migrate(autoscale bool) func(ctx context.Context, c *arm.Call) (any, error) {
	return func(ctx context.Context, c *arm.Call) (any, error) {
		ch, err := change(c.Old)
		if err != nil {
			return nil, err
		}
		db, coll := offerOwner(c)
		o, err := s.catalog.OfferOf(ctx, ch.Account, db, coll)
		switch {
		case err != nil:
			return nil, err
		case o == nil:
			return nil, fault.New(fault.NotFound, "NotFound", "'%s' does not exist.", c.ID)
		case autoscale == (o.Max != 0):
			return nil, bad("The throughput of '%s' is %s already.", c.ID, map[bool]string{true: "autoscale", false: "manual"}[autoscale])
		}
		if err := c.Commit(ctx, func(store.Tx) error { return nil }); err != nil {
			return nil, err
		}
		if _, err := s.catalog.MigrateOffer(ctx, ch.Account, o.RID().String(), "", autoscale, nil); err != nil {
			return nil, err
		}
		r, err := s.getThroughput(ctx, c)
		if r == nil || err != nil {
			return nil, err
		}
		return map[string]any{"id": r.ID, "name": r.Name, "type": r.Type, "properties": r.Properties}, nil
	}
}
