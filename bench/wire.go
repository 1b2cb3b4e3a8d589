package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"time"

	"github.com/bulkheadhq/bulkhead/bench/lean"
)

// dial connects to a host behind addr, whose certificate has the given root.
func dial(addr, root, host string) (*lean.Conn, error) {
	pem, err := os.ReadFile(root)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	c, err := tls.Dial("tcp", addr, &tls.Config{ServerName: host, RootCAs: roots})
	if err != nil {
		return nil, err
	}
	return lean.New(c), nil
}

// load sends what next gives on n connections for span. Any status but want is an error.
func load(ctx context.Context, addr, root, host string, n int, span time.Duration, want int, next func(worker int) []byte) (lean.Rate, error) {
	r, err := lean.Load(ctx, func() (*lean.Conn, error) { return dial(addr, root, host) }, n, span, want, next)
	if err != nil {
		err = fmt.Errorf("load on %s: %w", host, err)
	}
	return r, err
}
