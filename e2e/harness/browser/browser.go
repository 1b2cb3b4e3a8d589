// Package browser starts a real browser for tests of what pages may do.
package browser

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// Start starts Chromium for a minute. It finds the hosts, at port 443, at the platform's front door and trusts the platform's authority; besides it knows
// 127.0.0.1, and nothing else of this machine. Where the clients are left out the test is skipped.
func Start(t testing.TB, p *harness.Platform, hosts ...string) context.Context {
	t.Helper()
	if os.Getenv("BULKHEAD_SKIP_CLIENTS") == "1" {
		t.Skip("BULKHEAD_SKIP_CLIENTS=1: Chromium is not run")
	}
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("Chromium is not installed (scripts/test does that): %v", err)
	}
	var rules strings.Builder
	for _, h := range hosts {
		rules.WriteString("MAP " + h + ":443 " + p.Run.FrontDoor + ", ")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("host-resolver-rules", rules.String()+"MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
		chromedp.Flag("ignore-certificate-errors-spki-list", issuerPin(t, p, hosts[0])))
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
func issuerPin(t testing.TB, p *harness.Platform, host string) string {
	t.Helper()
	c, err := tls.Dial("tcp", p.Run.FrontDoor, &tls.Config{ServerName: host, InsecureSkipVerify: true}) //nolint:gosec // to read the chain of a server of ours
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
