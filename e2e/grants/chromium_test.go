package grants

import (
	"context"
	"fmt"
	"strings"

	"github.com/chromedp/chromedp"
)

const loginHost = "login.microsoftonline.com"

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
