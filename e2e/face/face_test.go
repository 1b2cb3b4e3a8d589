// Package face runs Azure's own clients of the Face API against its container and an account.
package face

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// weights is a folder with the weights of node_modules.
func weights(t *testing.T, modules string) string {
	t.Helper()
	models := t.TempDir()
	for _, pattern := range []string{"human/models/*", "face-api/model/face_recognition_model*"} {
		files, err := filepath.Glob(filepath.Join(modules, "@vladmandic", pattern))
		if err != nil || files == nil {
			t.Fatalf("no weights %s: %v", pattern, err)
		}
		for _, f := range files {
			if err := os.Symlink(f, filepath.Join(models, filepath.Base(f))); err != nil {
				t.Fatal(err)
			}
		}
	}
	return models
}

// container starts `bulkhead cognitive face` and gives its endpoint. It ends with the test.
func container(t *testing.T, models string) string {
	t.Helper()
	bin, err := harness.Binary()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	// The billing endpoint isn't there, which a container bears for a while.
	cmd := exec.CommandContext(ctx, bin, "cognitive", "face", "eula=accept", "billing=http://127.0.0.1:1/", "--listen", "127.0.0.1:0", "--models", models)
	cmd.Env = append(os.Environ(), "ApiKey=abcdefghijklmnop0123456789abcdef")
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = 20 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	endpoint := make(chan string, 1)
	read := make(chan struct{})
	go func() {
		defer close(read)
		listening := regexp.MustCompile(`Now listening on: (http://\S+)`)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if m := listening.FindStringSubmatch(lines.Text()); m != nil {
				endpoint <- m[1]
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-read
		_ = cmd.Wait()
	})
	select {
	case e := <-endpoint:
		return e
	case <-read:
		t.Fatal("the container ended before it listened")
	case <-time.After(3 * time.Minute):
		t.Fatal("the container doesn't listen")
	}
	return ""
}

// client is one of Azure's, as a command line, and what it prints.
type client struct {
	name    string
	command func(endpoint string) []string
	want    map[string]any
}

func clients(root string) []client {
	modules := filepath.Join(root, "node_modules")
	photo := filepath.Join(modules, "@vladmandic", "face-api", "demo", "sample6.jpg")
	return []client{
		{"node", func(endpoint string) []string { return []string{"node", "client.mjs", modules, endpoint, photo} }, map[string]any{
			"faces": 4., "landmarks": 27., "attributes": "age,blur,emotion,exposure,gender,headPose,noise,smile", "emotions": 8., "same": true, "other": false,
			"training": "succeeded", "identified": true, "toPerson": true, "persons": 4., "similar": true, "groups": "2,2,2,2",
			"gone": "PersonGroupNotFound", "hair": "BadArgument", "url": "InvalidURL",
		}},
		{"python", func(endpoint string) []string {
			return []string{filepath.Join(root, "venv", "bin", "python"), "client.py", endpoint, photo}
		}, map[string]any{
			"faces": 4., "age": true, "tip": true, "same": true, "other": false, "training": "succeeded", "identified": true, "similar": true, "gone": "LargePersonGroupNotFound",
		}},
	}
}

func compare(t *testing.T, out []byte, want map[string]any) {
	t.Helper()
	var got map[string]any
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestClients: detect, verify, person groups, training, identify, face lists, similar faces and groups with Azure's clients for Node and Python, on a sample photo.
func TestClients(t *testing.T) {
	root := filepath.Dir(harness.Installed(t, "face/node_modules"))
	endpoint := container(t, weights(t, filepath.Join(root, "node_modules")))
	for _, c := range clients(root) {
		t.Run(c.name, func(t *testing.T) {
			words := c.command(endpoint)
			cmd := exec.Command(words[0], words[1:]...)
			cmd.Stderr = os.Stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			compare(t, out, c.want)
		})
	}
}

const version = "?api-version=2023-05-01"

// account makes an account through ARM and gives its endpoint and a key.
func account(t *testing.T, p *harness.Platform, kind string) (endpoint, key string) {
	t.Helper()
	name := harness.Name("face")
	id := p.PutGroup(t) + "/providers/Microsoft.CognitiveServices/accounts/" + name
	p.ARM(t, "PUT", id+version, map[string]any{
		"location": "westeurope", "kind": kind, "sku": map[string]any{"name": "S0"}, "properties": map[string]any{"customSubDomainName": name},
	})
	key, _ = p.ARM(t, "POST", id+"/listKeys"+version, nil)["key1"].(string)
	if key == "" {
		t.Fatal("the account has no key")
	}
	return "https://" + name + ".cognitiveservices.azure.com", key
}

// TestClients_Account: the same clients, and the same answers, by an account of kind Face with its key, and one of all kinds; a wrong key and those of
// accounts of another kind and of another account are refused.
func TestClients_Account(t *testing.T) {
	root := filepath.Dir(harness.Installed(t, "face/node_modules"))
	p := harness.Start(t, harness.Options{Flags: []string{"--face-models", weights(t, filepath.Join(root, "node_modules"))}})
	_, text := account(t, p, "TextAnalytics")
	_, another := account(t, p, "Face")
	for i, c := range clients(root) {
		kind := []string{"Face", "CognitiveServices"}[i]
		t.Run(c.name+" "+kind, func(t *testing.T) {
			endpoint, key := account(t, p, kind)
			c.want["refused"] = []any{401., 401., 401.}
			env := []string{"KEY=" + key, "REFUSED=" + strings.Join([]string{"0123456789abcdef0123456789abcdef", text, another}, ",")}
			compare(t, p.Exec(t, "", env, c.command(endpoint)...), c.want)
		})
	}
}

// TestMissingWeights: without weights a container ends and an account answers, and both say how to get them.
func TestMissingWeights(t *testing.T) {
	bin, err := harness.Binary()
	if err != nil {
		t.Fatal(err)
	}
	none := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin, "cognitive", "face", "eula=accept", "apikey=abcdefghijklmnop0123456789abcdef", "billing=http://127.0.0.1:1/", "--listen", "127.0.0.1:0", "--models", none)
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); err == nil || code != 1 || !strings.Contains(string(out), "scripts/face-models") || !strings.Contains(string(out), "facemesh.bin") {
		t.Errorf("the container ended with %d (%v): %s", code, err, out)
	}
	p := harness.Start(t, harness.Options{Flags: []string{"--face-models", none}})
	endpoint, key := account(t, p, "Face")
	r, err := http.NewRequestWithContext(t.Context(), "POST", endpoint+"/face/v1.0/detect", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Ocp-Apim-Subscription-Key", key)
	r.Header.Set("Content-Type", "application/octet-stream")
	resp, err := p.ProxyWay(t).Client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusNotImplemented || !strings.Contains(string(body), "scripts/face-models") {
		t.Errorf("the account: %d %s %v", resp.StatusCode, body, err)
	}
}
