package grants

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
	"github.com/chromedp/chromedp"
)

const loginHost = "login.microsoftonline.com"

// chromium starts a real browser that finds Azure's sign-in page at the platform and trusts the platform's authority, and nothing else of this machine.
func chromium(t *testing.T, p *harness.Platform) context.Context {
	t.Helper()
	if os.Getenv("BULKHEAD_SKIP_CLIENTS") == "1" {
		t.Skip("BULKHEAD_SKIP_CLIENTS=1: Chromium is not run")
	}
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("Chromium is not installed (scripts/test does that): %v", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("host-resolver-rules", "MAP "+loginHost+":443 "+p.Run.FrontDoor+", MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
		chromedp.Flag("ignore-certificate-errors-spki-list", issuerPin(t, p)))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil { // the browser lives as long as the context of this first call
		t.Fatalf("start Chromium: %v", err)
	}
	ctx, cancel = context.WithTimeout(ctx, time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// issuerPin is the hash of the key that signs the front door's certificates.
func issuerPin(t *testing.T, p *harness.Platform) string {
	t.Helper()
	c, err := tls.Dial("tcp", p.Run.FrontDoor, &tls.Config{ServerName: loginHost, InsecureSkipVerify: true}) //nolint:gosec // to read the chain of a server of ours
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	chain := c.ConnectionState().PeerCertificates
	if len(chain) < 2 {
		t.Fatalf("the front door sends %d certificates, want the intermediate, too", len(chain))
	}
	sum := sha256.Sum256(chain[1].RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// approveInChromium goes through a device code's pages as a person does: code, name and password, consent.
func approveInChromium(ctx context.Context, address, code string, u user) error {
	accept := `button[value="accept"]`
	err := chromedp.Do(ctx,
		chromedp.Navigate(address),
		chromedp.SendKeys(`input[name="user_code"]`, code), chromedp.Submit(`input[name="user_code"]`),
		chromedp.WaitVisible(`input[name="passwd"]`),
		chromedp.SendKeys(`input[name="login"]`, u.UPN), chromedp.SendKeys(`input[name="passwd"]`, password), chromedp.Submit(`input[name="passwd"]`),
		chromedp.WaitVisible(accept), chromedp.Click(accept), chromedp.WaitNotPresent(accept), chromedp.WaitReady("body"))
	if err != nil {
		return err
	}
	text, err := chromedp.Run(ctx, chromedp.Text("body"))
	if err == nil && !strings.Contains(text, "You have signed in") {
		err = fmt.Errorf("the last page says %q", text)
	}
	return err
}
