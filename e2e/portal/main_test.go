// Package portal looks at the platform's pages with a real browser.
package portal

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

var shared harness.Shared

func TestMain(m *testing.M) { os.Exit(shared.Main(m)) }

const (
	portal = "portal.azure.com"
	login  = "login.microsoftonline.com"
)

// tab is a browser's page whose console is read.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// newTab watches the console until the test ends; whatever a page complains of fails the test, but for what has the words of expected in it.
func newTab(t *testing.T, ctx context.Context, expected string) tab {
	t.Helper()
	messages := chromedp.Console(ctx)
	done := make(chan struct{})
	ctx, stop := context.WithCancel(ctx)
	go func() {
		defer close(done)
		for m, err := range messages {
			if err != nil {
				return
			}
			if expected != "" && strings.Contains(m.String(), expected) {
				continue
			}
			t.Errorf("the console says %s (%s)", m, m.URL)
		}
	}()
	t.Cleanup(func() { stop(); _ = chromedp.Cancel(ctx); <-done })
	b := tab{t, ctx}
	b.do("a window's size", chromedp.EmulateViewport(1400, 900))
	return b
}

// do does the actions; a failure tells what the page shows.
func (b tab) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		text, _ := chromedp.Run(b.ctx, chromedp.Text("body"))
		b.t.Fatalf("%s: %v\nthe page says: %.1500s", what, err, text)
	}
}

// value evaluates an expression in the page.
func value[T any](b tab, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// until waits for an expression to become true, over pages that come and go.
func (b tab) until(expression string) {
	b.t.Helper()
	var err error
	for b.ctx.Err() == nil {
		var ok bool
		if ok, err = chromedp.Run(b.ctx, chromedp.Evaluate[bool](expression)); ok {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	b.t.Fatalf("%s: %v", expression, err)
}

// scheme makes the browser prefer light or dark.
func (b tab) scheme(name string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}})
	if err != nil {
		b.t.Fatal(err)
	}
}

// shoot keeps pictures of the page, light and dark, in the folder that BULKHEAD_SHOTS names.
func (b tab) shoot(name string) {
	b.t.Helper()
	for _, scheme := range []string{"light", "dark"} {
		b.scheme(scheme)
		picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
		if err != nil || len(picture) < 1000 {
			b.t.Errorf("picture of %s: %d bytes, %v", name, len(picture), err)
		}
		if dir := os.Getenv("BULKHEAD_SHOTS"); dir != "" {
			if err := os.WriteFile(filepath.Join(dir, name+"-"+scheme+".png"), picture, 0o600); err != nil {
				b.t.Fatal(err)
			}
		}
	}
	b.scheme("light")
}
