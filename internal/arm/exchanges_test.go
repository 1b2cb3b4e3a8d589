package arm

import (
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/arm/rbac"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire/wiretest"
)

func TestExchanges(t *testing.T) {
	wiretest.Run(t, "testdata", func(t *testing.T) wiretest.Target {
		f := newPlane(t)
		other := ""
		if strings.HasSuffix(t.Name(), "/moves") { // the others list subscriptions, in the order of their ids
			other = f.second()
		}
		f.deny(DenyAssignment{
			Name: "5a0f2d31-62c1-4d7b-9a7d-3f0c8f1f6d01", DisplayName: "managed", Scope: f.group("managed"), Principals: []string{rbac.Everyone},
			Excluded: []string{people["foreign"].ObjectID}, Permissions: []rbac.Permission{{
				Actions: []string{"*"}, NotActions: []string{"*/read"}, DataActions: []string{}, NotDataActions: []string{},
			}},
		})
		return wiretest.Target{Handler: f.mux, Vars: map[string]string{
			"sub": f.sub, "other": other, "tenant": tenantA, "owner": people["owner"].ObjectID, "reader": people["reader"].ObjectID, "foreign": people["foreign"].ObjectID,
			"readerRole": rbac.ReaderID, "id": ids.New(), "id2": ids.New(),
		}}
	})
}

// deny writes a deny assignment, as a managed application will.
func (f *plane) deny(d DenyAssignment) {
	f.t.Helper()
	d.ID = d.Scope + "/providers/" + typeDenial + "/" + d.Name
	row, err := denialCodec.Encode(d)
	if err != nil {
		f.t.Fatal(err)
	}
	f.put(subShard(f.sub), scopedKey(tagDenial, strings.ToLower(d.Scope), d.Name), row)
}

// put writes a row of a policy past the API.
func (f *plane) put(shard string, key, row []byte) {
	f.t.Helper()
	_, err := f.st.Update(f.t.Context(), shard, func(tx store.Tx) error {
		if err := tx.Put(key, row); err != nil {
			return err
		}
		return bumpVersion(tx)
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

// undeny removes what deny wrote.
func (f *plane) undeny(scope, name string) {
	f.t.Helper()
	_, err := f.st.Update(f.t.Context(), subShard(f.sub), func(tx store.Tx) error {
		if err := tx.Delete(scopedKey(tagDenial, strings.ToLower(scope), name)); err != nil {
			return err
		}
		return bumpVersion(tx)
	})
	if err != nil {
		f.t.Fatal(err)
	}
}
