// Package face runs Azure's own clients of the Face API against its container.
package face

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// container starts `bulkhead cognitive face` with the weights of node_modules and gives its endpoint. It ends with the test.
func container(t *testing.T, modules string) string {
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

// TestClients: detect, verify, person groups, training, identify, face lists, similar faces and groups with Azure's clients for Node and Python, on a sample photo.
func TestClients(t *testing.T) {
	root := filepath.Dir(harness.Installed(t, "face/node_modules"))
	modules := filepath.Join(root, "node_modules")
	photo := filepath.Join(modules, "@vladmandic", "face-api", "demo", "sample6.jpg")
	endpoint := container(t, modules)
	for _, c := range []struct {
		name    string
		command []string
		want    map[string]any
	}{
		{"node", []string{"node", "client.mjs", modules, endpoint, photo}, map[string]any{
			"faces": 4., "landmarks": 27., "attributes": "age,blur,emotion,exposure,gender,headPose,noise,smile", "emotions": 8., "same": true, "other": false,
			"training": "succeeded", "identified": true, "toPerson": true, "persons": 4., "similar": true, "groups": "2,2,2,2",
			"gone": "PersonGroupNotFound", "hair": "BadArgument", "url": "InvalidURL",
		}},
		{"python", []string{filepath.Join(root, "venv", "bin", "python"), "client.py", endpoint, photo}, map[string]any{
			"faces": 4., "age": true, "tip": true, "same": true, "other": false, "training": "succeeded", "identified": true, "similar": true, "gone": "LargePersonGroupNotFound",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := exec.Command(c.command[0], c.command[1:]...)
			cmd.Stderr = os.Stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			var got map[string]any
			if err := json.Unmarshal(out, &got); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}
