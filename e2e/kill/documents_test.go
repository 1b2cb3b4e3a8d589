package kill

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// documents makes and removes items of a container.
func (w *world) documents(t *testing.T) writer {
	t.Helper()
	account := w.p.PutAccount(t, w.group)
	key := w.p.Key(t, w.group, account, "primaryMasterKey")
	items := harness.PutContainer(t, w.way.Cosmos(t, account, key, w.way.ClientOptions()))
	pk := azcosmos.NewPartitionKeyString("p")
	x := newThings("document")
	x.make = func(ctx context.Context, id string) (answer, error) {
		b, _ := json.Marshal(map[string]any{"id": id, "pk": "p", "n": 1})
		_, err := items.UpsertItem(context.WithoutCancel(ctx), pk, b, nil)
		return told(err)
	}
	x.remove = func(ctx context.Context, id string) (answer, error) {
		_, err := items.DeleteItem(context.WithoutCancel(ctx), pk, id, nil)
		return told(err)
	}
	x.whole = func(t *testing.T, id string) bool {
		t.Helper()
		_, err := items.ReadItem(t.Context(), pk, id, nil)
		a, err := told(err)
		if err != nil || !a.ok() && a.status != http.StatusNotFound {
			t.Errorf("read document %s: %d %v", id, a.status, err)
		}
		return a.ok()
	}
	return x
}

// told is what an SDK's error says of the outcome.
func told(err error) (answer, error) {
	var refused *azcore.ResponseError
	switch {
	case err == nil:
		return answer{status: http.StatusOK}, nil
	case errors.As(err, &refused):
		return answer{status: refused.StatusCode}, nil
	}
	return answer{}, errUnknown
}
