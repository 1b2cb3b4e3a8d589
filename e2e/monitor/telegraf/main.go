// Command telegraf sends what Telegraf's output azure_monitor sends, in its order: it asks the instance metadata service where it is and who it is, and posts lines of JSON, one for each
// measurement's name and minute, packed. Run under `bulkhead exec --identity MACHINE`. Its argument is the file with the lines.
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"time"
)

const metadata = "http://169.254.169.254/metadata/"

func main() {
	log.SetFlags(0)
	if err := run(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(file string) error {
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment}, Timeout: time.Minute}
	ask := func(path string, out any) error {
		req, err := http.NewRequest(http.MethodGet, metadata+path, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Metadata", "true")
		b, err := do(client, req)
		if err != nil {
			return err
		}
		return json.Unmarshal(b, out)
	}
	var machine struct {
		Compute struct {
			Location          string `json:"location"`
			Name              string `json:"name"`
			ResourceGroupName string `json:"resourceGroupName"`
			SubscriptionID    string `json:"subscriptionId"`
		} `json:"compute"`
	}
	if err := ask("instance?api-version=2017-12-01", &machine); err != nil {
		return err
	}
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if err := ask("identity/oauth2/token?api-version=2018-02-01&resource="+url.QueryEscape("https://monitoring.azure.com/"), &token); err != nil {
		return err
	}
	lines, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(lines); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	c := machine.Compute
	target := fmt.Sprintf("https://%s.monitoring.azure.com/subscriptions/%s/resourceGroups/%s/providers/Microsoft.Compute/virtualMachines/%s/metrics", c.Location, c.SubscriptionID, c.ResourceGroupName, c.Name)
	req, err := http.NewRequest(http.MethodPost, target, &packed)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Encoding", "gzip")
	req.Header.Set("Content-Type", "application/x-ndjson")
	req.Header.Set("Authorization", "Bearer "+token.AccessToken)
	_, err = do(client, req)
	return err
}

func do(client *http.Client, req *http.Request) ([]byte, error) {
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %d %s", req.Method, req.URL, resp.StatusCode, b)
	}
	return b, err
}
