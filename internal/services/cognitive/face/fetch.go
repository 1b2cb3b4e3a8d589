package face

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// maxImage is how large a picture may be: 6 MB.
const maxImage = 6 << 20

// fetchTime bounds fetching a picture, redirections included.
const fetchTime = 10 * time.Second

var errPrivate = errors.New("the address is not one of the public Internet")

// Fetcher gets pictures by URL for callers who must not reach what the service reaches: unless Private is set, every connection, also after a redirection, is refused
// unless it goes to an address of the public Internet. It knows no proxy, since a proxy would choose the address. The zero value is ready; safe for concurrent use.
type Fetcher struct {
	Private bool // addresses of this machine and of private networks, too
}

// Fetch gets a picture of at most 6 MB.
func (f *Fetcher) Fetch(ctx context.Context, address string) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return nil, fault.New(fault.Invalid, "InvalidURL", "Invalid image URL. It must be an http or https URL without a user name.")
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	dialer := &net.Dialer{Timeout: fetchTime, ControlContext: func(_ context.Context, network, address string, _ syscall.RawConn) error {
		return f.admit(network, address)
	}}
	client := &http.Client{
		Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true, TLSHandshakeTimeout: fetchTime, MaxResponseHeaderBytes: 64 << 10},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > 3 {
				return errors.New("more than 3 redirections")
			}
			if r.URL.Scheme != "http" && r.URL.Scheme != "https" {
				return errors.New("a redirection to another scheme")
			}
			return nil
		},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, fault.New(fault.Invalid, "InvalidURL", "Invalid image URL.").WithCause(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, undelivered(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fault.New(fault.Invalid, "InvalidURL", "Failed to download image from the specified URL: it answers %d.", resp.StatusCode)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxImage+1))
	switch {
	case err != nil:
		return nil, undelivered(err)
	case len(b) > maxImage:
		return nil, fault.New(fault.Invalid, "InvalidImageSize", "Image size is too large: at most %d bytes.", maxImage)
	}
	return b, nil
}

// undelivered tells the caller no more of the network than it needs to know.
func undelivered(err error) *fault.Error {
	why := "it can't be reached"
	switch {
	case errors.Is(err, errPrivate):
		why = "its address is not one of the public Internet"
	case errors.Is(err, context.DeadlineExceeded):
		why = "it took too long"
	}
	return fault.New(fault.Invalid, "InvalidURL", "Failed to download image from the specified URL: %s.", why).WithCause(err)
}

// admit refuses connections to where callers must not get by way of the service. It is asked for the address that is really dialled, so that no name can
// resolve to another one in between.
func (f *Fetcher) admit(network, address string) error {
	if network != "tcp4" && network != "tcp6" {
		return fmt.Errorf("%w: %s", errPrivate, network)
	}
	if f.Private {
		return nil
	}
	ap, err := netip.ParseAddrPort(address)
	if err != nil || !public(ap.Addr()) {
		return errPrivate
	}
	return nil
}

// public tells whether an address is one of the public Internet.
func public(a netip.Addr) bool {
	a = a.Unmap()
	if a.Zone() != "" || !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, p := range [...]string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"168.63.129.16/32", // Azure's own wire server
		// Translations and tunnels, which carry other addresses inside, and what is for documentation.
		"64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16", "2001:db8::/32", "100::/64", "fec0::/10",
	} {
		if netip.MustParsePrefix(p).Contains(a) {
			return false
		}
	}
	return true
}
