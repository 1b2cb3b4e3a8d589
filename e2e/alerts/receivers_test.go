package alerts

import (
	"bufio"
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/monitor/armmonitor"
	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// mailServer takes mails as an SMTP server does, and keeps what it was told.
type mailServer struct {
	net.Listener
	mu  sync.Mutex
	all bytes.Buffer
}

func newMailServer(t *testing.T) *mailServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &mailServer{Listener: l}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	return s
}

func (s *mailServer) serve(c net.Conn) {
	defer c.Close()
	fmt.Fprint(c, "220 here\r\n")
	data := false
	for lines := bufio.NewScanner(c); lines.Scan(); {
		line := lines.Text()
		s.mu.Lock()
		s.all.WriteString(line + "\n")
		s.mu.Unlock()
		switch {
		case data && line == ".":
			data = false
			fmt.Fprint(c, "250 taken\r\n")
		case data:
		case line == "DATA":
			data = true
			fmt.Fprint(c, "354 go on\r\n")
		case line == "QUIT":
			fmt.Fprint(c, "221 bye\r\n")
			return
		default:
			fmt.Fprint(c, "250 ok\r\n")
		}
	}
}

func (s *mailServer) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.String()
}

// call is what a receiver was called with.
type call struct {
	path, auth string
	body       map[string]any
}

// verified checks a token's signature against the keys that the tenant publishes, and gives its claims.
func verified(t *testing.T, w harness.Way, tenant, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no token", token)
	}
	var head struct{ Kid, Alg string }
	var claims map[string]any
	var keys struct{ Keys []struct{ Kid, N, E string } }
	b, _ := decode(parts[0])
	if err := json.Unmarshal(b, &head); err != nil || head.Alg != "RS256" {
		t.Fatalf("the token's header is %s", b)
	}
	b, _ = decode(parts[1])
	if err := json.Unmarshal(b, &claims); err != nil {
		t.Fatal(err)
	}
	a := w.Do(t, http.MethodGet, w.Login()+"/"+tenant+"/discovery/keys", nil, nil)
	if err := json.Unmarshal(a.Body, &keys); err != nil || a.Status != 200 {
		t.Fatalf("keys: %d %s", a.Status, a.Body)
	}
	for _, k := range keys.Keys {
		if k.Kid != head.Kid {
			continue
		}
		n, _ := base64.RawURLEncoding.DecodeString(k.N)
		e, _ := base64.RawURLEncoding.DecodeString(k.E)
		public := rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
		sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
		signature, _ := decode(parts[2])
		if err := rsa.VerifyPKCS1v15(&public, crypto.SHA256, sum[:], signature); err != nil {
			t.Fatalf("the token's signature: %v", err)
		}
		return claims
	}
	t.Fatalf("no key %s among %s", head.Kid, a.Body)
	return nil
}

// TestReceivers: each kind of receiver that is told is told once by a test notification, a secure webhook with a token that checks out, and the status says so of each.
func TestReceivers(t *testing.T) {
	t.Parallel()
	mail := newMailServer(t)
	p := harness.Start(t, harness.Options{Flags: []string{"--smtp", mail.Addr().String(), "--mail-from", "alerts@example.com"}})
	w := p.Ways(t)[0]
	env := p.Env(t, "")
	f, err := armmonitor.NewClientFactory(p.Run.SubscriptionID, w.Credential(t, env["AZURE_TENANT_ID"], env["AZURE_CLIENT_ID"], env["AZURE_CLIENT_SECRET"]), w.ARMOptions())
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var calls []call
	h := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		one := call{path: r.URL.Path, auth: r.Header.Get("Authorization")}
		_ = json.Unmarshal(b, &one.body)
		mu.Lock()
		defer mu.Unlock()
		calls = append(calls, one)
	}))
	t.Cleanup(h.Close)
	rg := path.Base(p.PutGroup(t))
	groups := f.NewActionGroupsClient()
	must(groups.CreateOrUpdate(t.Context(), rg, "ag", actionGroup(h.URL+"/unused"), nil))(t, "action group")
	id := "/subscriptions/" + p.Run.SubscriptionID + "/resourceGroups/" + rg + "/providers/Microsoft.Insights/actionGroups/ag"
	sent := p.ARM(t, "POST", id+"/createNotifications?api-version=2023-01-01", armmonitor.NotificationRequestBody{
		AlertType: to.Ptr("metricstaticthreshold"),
		WebhookReceivers: []*armmonitor.WebhookReceiver{
			{Name: to.Ptr("plain"), ServiceURI: to.Ptr(h.URL + "/plain"), UseCommonAlertSchema: to.Ptr(true)},
			{Name: to.Ptr("secure"), ServiceURI: to.Ptr(h.URL + "/secure"), UseCommonAlertSchema: to.Ptr(true), UseAADAuth: to.Ptr(true), IdentifierURI: to.Ptr("api://receiver"), ObjectID: to.Ptr(rg), TenantID: &p.Run.TenantID},
		},
		EmailReceivers:         []*armmonitor.EmailReceiver{{Name: to.Ptr("mail"), EmailAddress: to.Ptr("oncall@example.com")}},
		AzureFunctionReceivers: []*armmonitor.AzureFunctionReceiver{{Name: to.Ptr("function"), FunctionAppResourceID: to.Ptr("x"), FunctionName: to.Ptr("f"), HTTPTriggerURL: to.Ptr(h.URL + "/function"), UseCommonAlertSchema: to.Ptr(true)}},
		LogicAppReceivers:      []*armmonitor.LogicAppReceiver{{Name: to.Ptr("flow"), ResourceID: to.Ptr("x"), CallbackURL: to.Ptr(h.URL + "/flow"), UseCommonAlertSchema: to.Ptr(false)}},
		SmsReceivers:           []*armmonitor.SmsReceiver{{Name: to.Ptr("phone"), CountryCode: to.Ptr("1"), PhoneNumber: to.Ptr("5550100")}},
	})
	notification, _ := sent["notificationId"].(string)
	got := map[string]string{}
	for end := time.Now().Add(4 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		status := must(groups.GetTestNotificationsAtActionGroupResourceLevel(t.Context(), rg, "ag", notification, nil))(t, "status")
		if *status.State == "Completed" {
			for _, d := range status.ActionDetails {
				got[*d.Name] = *d.Status
			}
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the notification is %s", *status.State)
		}
	}
	if d := cmp.Diff(map[string]string{"plain": "Completed", "secure": "Completed", "mail": "Completed", "function": "Completed", "flow": "Completed", "phone": "Failed"}, got); d != "" {
		t.Errorf("what became of them (-want +got):\n%s", d)
	}
	mu.Lock()
	defer mu.Unlock()
	seen := map[string]call{}
	for _, c := range calls {
		if _, twice := seen[c.path]; twice {
			t.Errorf("%s was called twice", c.path)
		}
		seen[c.path] = c
	}
	for at, schema := range map[string]string{"/plain": "azureMonitorCommonAlertSchema", "/secure": "azureMonitorCommonAlertSchema", "/function": "azureMonitorCommonAlertSchema", "/flow": "AzureMonitorMetricAlert"} {
		c := seen[at]
		if c.body["schemaId"] != schema || (c.auth != "") != (at == "/secure") {
			t.Errorf("%s was called with %v, authorization %.20q", at, c.body, c.auth)
		}
	}
	claims := verified(t, w, p.Run.TenantID, strings.TrimPrefix(seen["/secure"].auth, "Bearer "))
	if claims["aud"] != "api://receiver" || claims["appid"] != "461e8683-5575-4561-ac7f-899cc907d62a" || claims["tid"] != p.Run.TenantID {
		t.Errorf("the token says %v", claims)
	}
	if exp, _ := claims["exp"].(float64); int64(exp) <= time.Now().Unix() {
		t.Errorf("the token is over at %v", claims["exp"])
	}
	for _, says := range []string{"MAIL FROM:<alerts@example.com>", "RCPT TO:<oncall@example.com>", "Subject: "} {
		if !strings.Contains(mail.text(), says) {
			t.Errorf("the mail server was not told %q:\n%s", says, mail.text())
		}
	}
}
