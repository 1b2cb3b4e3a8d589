// Command call sends one request to the background-check service, signed in as whoever the environment says (AZURE_CLIENT_ID and its like, or `az login`).
//
//	call -service service.json GET /checks/1
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

const correlationHeader = "X-Ms-Correlation-Request-Id"

func main() {
	service := flag.String("service", "", "JSON file that provision printed")
	correlation := flag.String("correlation", "", "correlation id to send; by default the service chooses")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "call -service FILE [-correlation GUID] METHOD PATH [BODY]")
		flag.PrintDefaults()
	}
	flag.Parse()
	if *service == "" || flag.NArg() < 2 || flag.NArg() > 3 {
		flag.Usage()
		os.Exit(2)
	}
	ok, err := run(context.Background(), *service, *correlation, flag.Arg(0), flag.Arg(1), flag.Arg(2))
	if err != nil {
		fmt.Fprintln(os.Stderr, "call:", err)
	}
	if !ok {
		os.Exit(1)
	}
}

// run prints the answer; ok tells whether it is a success.
func run(ctx context.Context, service, correlation, method, path, body string) (ok bool, err error) {
	b, err := os.ReadFile(service)
	if err != nil {
		return false, err
	}
	var at struct{ URL, APIURI string }
	if err := json.Unmarshal(b, &at); err != nil {
		return false, err
	}
	cred, err := azidentity.NewDefaultAzureCredential(nil)
	if err != nil {
		return false, err
	}
	token, err := cred.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{at.APIURI + "/.default"}})
	if err != nil {
		return false, err
	}
	req, err := http.NewRequestWithContext(ctx, method, at.URL+path, strings.NewReader(body))
	if err != nil {
		return false, err
	}
	req.Header.Set("Authorization", "Bearer "+token.Token)
	if correlation != "" {
		req.Header.Set(correlationHeader, correlation)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)
	fmt.Println("correlation id:", resp.Header.Get(correlationHeader))
	_, err = io.Copy(os.Stdout, resp.Body)
	return resp.StatusCode < 300, err
}
