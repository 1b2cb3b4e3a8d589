package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

const (
	armEndpoint   = "https://management.azure.com"
	graphEndpoint = "https://graph.microsoft.com/v1.0"
)

// rest is a JSON API, called as somebody.
type rest struct {
	endpoint string
	pipeline runtime.Pipeline
	cred     azcore.TokenCredential
	scope    string
}

func newREST(endpoint, scope string, cred azcore.TokenCredential) *rest {
	bearer := runtime.NewBearerTokenPolicy(cred, []string{scope}, nil)
	return &rest{endpoint, runtime.NewPipeline("provision", "v1", runtime.PipelineOptions{PerRetry: []policy.Policy{bearer}}, nil), cred, scope}
}

// admin is a party's administrator at the two control planes.
type admin struct {
	Party
	cred  azcore.TokenCredential
	arm   *rest
	graph *rest
}

func (p Party) admin() (*admin, error) {
	cred, err := p.signIn()
	if err != nil {
		return nil, fmt.Errorf("sign in to %s: %w", p.Name, err)
	}
	return &admin{p, cred, newREST(armEndpoint, armEndpoint+"/.default", cred), newREST(graphEndpoint, "https://graph.microsoft.com/.default", cred)}, nil
}

// call sends in (nil: no body) and decodes the answer into out (nil: thrown away). It waits for an operation that Azure goes on with after its answer.
func (c *rest) call(ctx context.Context, method, path string, in, out any) error {
	req, err := runtime.NewRequest(ctx, method, c.endpoint+path)
	if err != nil {
		return err
	}
	switch body := in.(type) {
	case nil:
	case *bytes.Reader:
		err = req.SetBody(nopCloser{body}, "application/zip")
	default:
		err = runtime.MarshalAsJSON(req, body)
	}
	if err != nil {
		return err
	}
	resp, err := c.pipeline.Do(req)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer resp.Body.Close()
	if !runtime.HasStatusCode(resp, http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNoContent) {
		return fmt.Errorf("%s %s: %w", method, path, runtime.NewResponseError(resp))
	}
	if c.endpoint == armEndpoint && (method == http.MethodPut || method == http.MethodDelete) {
		poller, err := runtime.NewPoller[json.RawMessage](resp, c.pipeline, nil)
		if err != nil {
			return err
		}
		b, err := poller.PollUntilDone(ctx, nil)
		if err != nil || out == nil {
			return err
		}
		return json.Unmarshal(b, out)
	}
	if out == nil {
		return nil
	}
	return runtime.UnmarshalAsJSON(resp, out)
}

type nopCloser struct{ *bytes.Reader }

func (nopCloser) Close() error { return nil }

// exists tells whether something is there to GET.
func (c *rest) exists(ctx context.Context, path string) (bool, error) {
	err := c.call(ctx, http.MethodGet, path, nil, nil)
	var answer *azcore.ResponseError
	if errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound {
		return false, nil
	}
	return err == nil, err
}

// objectID is who the calls are made as, by the directory's name for it.
func (c *rest) objectID(ctx context.Context) (string, error) {
	token, err := c.cred.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{c.scope}})
	if err != nil {
		return "", err
	}
	parts := strings.Split(token.Token, ".")
	if len(parts) != 3 {
		return "", errors.New("the access token is not a JWT")
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", err
	}
	var claims struct {
		OID string `json:"oid"`
	}
	return claims.OID, errors.Join(json.Unmarshal(b, &claims))
}
