package vaults

import (
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
)

func TestAudit_HistoryOfAVault(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, v vault) {
		c, ctx := keysClient(t, v), t.Context()
		ok(c.CreateKey(ctx, "k", azkeys.CreateKeyParameters{Kty: to.Ptr(azkeys.KeyTypeEC)}, nil))(t, "create")
		ok(c.GetKey(ctx, "k", "", nil))(t, "get")
		_, err := c.GetKey(ctx, "nope", "", nil)
		wantCode(t, "get absent", err, 404, "KeyNotFound")
		text := string(v.p.Output(t, "audit", "--vault", v.name))
		at := 0
		for _, want := range []string{
			"/providers/Microsoft.KeyVault/vaults/" + v.name, "KeyCreate", "KeyGet", "KeyNotFound",
		} {
			next := strings.Index(text[at:], want)
			if next < 0 {
				t.Fatalf("no %s in its place in\n%s", want, text)
			}
			at += next
		}
		var h struct {
			Records []struct{ Operation, ObjectID string }
			Events  []struct {
				EventType, Subject string
				Data               struct{ Id, VaultName string }
			}
		}
		decode(t, v.p.Output(t, "audit", "--vault", v.name, "--since", "1h", "--json"), &h)
		if len(h.Events) != 1 || h.Events[0].EventType != "Microsoft.KeyVault.KeyNewVersionCreated" || h.Events[0].Subject != "k" || h.Events[0].Data.VaultName != v.name {
			t.Errorf("events: %+v", h.Events)
		}
		decode(t, v.p.Output(t, "audit", "--vault", v.name, "--since", "2999-01-01T00:00:00Z", "--json"), &h)
		if len(h.Records) != 0 {
			t.Errorf("records of the future: %+v", h.Records)
		}
	})
}
