package cognitive

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	imagecheck "github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

const repository = "mcr.microsoft.com/azure-cognitive-services/"

// pull gets an image from mcr.microsoft.com by a registry client, through the proxy.
func pull(t *testing.T, p *harness.Platform, service string) (v1.Image, error) {
	t.Helper()
	ref, err := name.ParseReference(repository + service)
	if err != nil {
		t.Fatal(err)
	}
	return remote.Image(ref, remote.WithTransport(p.ProxyWay(t).Client.Transport), remote.WithContext(t.Context()))
}

// TestImage walks the post: docker pull and docker run, without Docker. The image's own files are all that the container sees, and the proxy is its only way to the
// account.
func TestImage(t *testing.T) {
	p := shared.Platform(t)
	img, err := pull(t, p, "language")
	if err != nil {
		t.Fatal(err)
	}
	if err := imagecheck.Image(img); err != nil {
		t.Error(err)
	}
	c, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := c.Config.ExposedPorts["5000/tcp"]; !ok || c.Config.User == "" {
		t.Errorf("%+v", c.Config)
	}
	if os.Geteuid() != 0 {
		t.Skip("running an image's files as a root of their own takes root")
	}
	root := t.TempDir()
	unpack(t, img, root)
	a := put(t, p, "TextAnalytics", "S0", true)
	arguments := append(c.Config.Entrypoint[1:], "--listen", "127.0.0.1:0", "eula=accept", "apikey="+a.key, "billing="+a.endpoint, "HTTP_PROXY="+p.Env(t, "")["HTTPS_PROXY"])
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	run := exec.CommandContext(ctx, c.Config.Entrypoint[0], arguments...)
	run.Dir, run.Env = "/", c.Config.Env
	run.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
	out, in := io.Pipe()
	run.Stdout, run.Stderr = in, in
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = run.Process.Signal(syscall.SIGTERM)
		_ = run.Wait()
	}()
	said := &lines{}
	listening := make(chan string, 1)
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			said.add(s.Text())
			if at, ok := strings.CutPrefix(s.Text(), "Now listening on: "); ok {
				listening <- at
			}
		}
	}()
	var at string
	select {
	case at = <-listening:
	case <-ctx.Done():
		t.Fatalf("it does not listen:\n%s", said)
	}
	within(t, "ready", func() bool {
		a, err := http.Get(at + "/ready")
		if err != nil {
			return false
		}
		defer a.Body.Close()
		return a.StatusCode == 200
	})
	answer, err := http.Post(at+"/text/analytics/v2.0/languages", "application/json", strings.NewReader(`{"documents":[{"id":"1","text":"Where is the railway station, please?"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if b, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != 200 || !strings.Contains(string(b), `"iso6391Name":"en"`) {
		t.Errorf("%d %s %v", answer.StatusCode, b, err)
	}
	if got := read(t, at+"/status"); !strings.Contains(got, "Valid") || strings.Contains(got, "Invalid") {
		t.Errorf("the key was not judged valid by the account: %s\n%s", got, said)
	}
	if strings.Contains(said.String(), a.key) {
		t.Error("the key is in the log")
	}
}

// TestImage_Missing: an image whose models aren't here says how to get them; one that isn't there is unknown.
func TestImage_Missing(t *testing.T) {
	p := shared.Platform(t)
	for service, want := range map[string]string{"recognize-text": "scripts/image", "luis": "NAME_UNKNOWN"} {
		if _, err := pull(t, p, service); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", service, err, want)
		}
	}
}

// TestSkopeo pulls by another client, where it is installed.
func TestSkopeo(t *testing.T) {
	bin, err := exec.LookPath("skopeo")
	if err != nil {
		t.Skip("skopeo is not installed")
	}
	p := shared.Platform(t)
	file := filepath.Join(t.TempDir(), "language.tar")
	p.Exec(t, "", nil, bin, "--insecure-policy", "copy", "docker://"+repository+"language:latest", "docker-archive:"+file)
	if info, err := os.Stat(file); err != nil || info.Size() < 1<<20 {
		t.Errorf("%v, %v", info, err)
	}
}

// unpack writes the image's files below root.
func unpack(t *testing.T, img v1.Image, root string) {
	t.Helper()
	r := mutate.Extract(img)
	defer r.Close()
	in, err := os.OpenRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := os.Chmod(filepath.Dir(root), 0o755); err != nil { // so that the image's user gets there
		t.Fatal(err)
	}
	for files := tar.NewReader(r); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		at := strings.TrimSuffix(h.Name, "/")
		switch h.Typeflag {
		case tar.TypeDir:
			err = in.MkdirAll(at, os.FileMode(h.Mode)&0o777)
		case tar.TypeReg:
			err = write(in, at, files, os.FileMode(h.Mode))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func write(in *os.Root, at string, r io.Reader, mode os.FileMode) error {
	f, err := in.OpenFile(at, os.O_WRONLY|os.O_CREATE, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}
