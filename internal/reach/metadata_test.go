package reach

import (
	"encoding/json"
	"net/http/httptest"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/wire"
)

func metadataAt(t *testing.T, host, query string) (int, []byte) {
	t.Helper()
	mux, err := wire.NewMux([]wire.Service{Metadata()}, wire.Options{Hosts: wire.Hosts{Suffix: "own.test", Port: 8443}})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("GET", "https://"+host+"//metadata/endpoints"+query, nil))
	return w.Code, w.Body.Bytes()
}

func TestMetadata_ThreeVersions(t *testing.T) {
	var old struct {
		GraphEndpoint  string
		Authentication struct {
			LoginEndpoint string
			Audiences     []string
		}
	}
	status, body := metadataAt(t, "management.own.test:8443", "?api-version=2015-01-01")
	if err := json.Unmarshal(body, &old); err != nil || status != 200 {
		t.Fatalf("2015-01-01: %d %s, %v", status, body, err)
	}
	if got, want := old.Authentication.LoginEndpoint, "https://login.own.test:8443/adfs"; got != want {
		t.Errorf("loginEndpoint = %s, want %s", got, want)
	}
	if got, want := old.Authentication.Audiences[0], "https://management.own.test:8443/"; got != want {
		t.Errorf("audiences[0] = %s, want %s", got, want)
	}

	var list []cloud
	status, body = metadataAt(t, "management.own.test:8443", "?api-version=2019-05-01")
	if err := json.Unmarshal(body, &list); err != nil || status != 200 || len(list) != 1 {
		t.Fatalf("2019-05-01: %d %s, %v", status, body, err)
	}
	if got, want := list[0].Suffixes.KeyVault, "vault.own.test:8443"; got != want {
		t.Errorf("keyVaultDns = %s, want %s", got, want)
	}

	var one cloud
	status, body = metadataAt(t, "management.azure.com", "?api-version=2022-09-01")
	if err := json.Unmarshal(body, &one); err != nil || status != 200 {
		t.Fatalf("2022-09-01: %d %s, %v", status, body, err)
	}
	if one.Name != "AzureCloud" || one.Suffixes.KeyVault != "vault.azure.net" || one.Authentication.Login != "https://login.microsoftonline.com" {
		t.Errorf("public cloud = %+v", one)
	}
	if one.Authentication.Tenant != "common" || one.Authentication.Provider != "AAD" {
		t.Errorf("authentication = %+v; clients take anything else for Azure Stack", one.Authentication)
	}
}

func TestMetadata_VersionIsRequired(t *testing.T) {
	if status, body := metadataAt(t, "management.azure.com", ""); status != 400 {
		t.Errorf("without api-version: %d %s, want 400", status, body)
	}
}
