package cognitive

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	imagecheck "github.com/google/go-containerregistry/pkg/v1/validate"
	"golang.org/x/sys/unix"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

const repository = "mcr.microsoft.com/azure-cognitive-services/"

// pull gets an image from mcr.microsoft.com by a registry client; reference is what comes after its name: ":latest", "@sha256:…".
func pull(t *testing.T, client *http.Client, service, reference string) (v1.Image, error) {
	t.Helper()
	ref, err := name.ParseReference(repository + service + reference)
	if err != nil {
		t.Fatal(err)
	}
	return remote.Image(ref, remote.WithTransport(client.Transport), remote.WithContext(t.Context()))
}

// yard is a platform in a network of its own and a place for containers beside it, whose only way out is to that platform.
type yard struct {
	p        *harness.Platform
	hub, out *harness.Namespace
	proxy    string // as containers reach it
}

const (
	yardHub       = "10.213.7.1"
	yardContainer = "10.213.7.2"
)

func newYard(t *testing.T) *yard {
	t.Helper()
	y := &yard{hub: harness.NewNamespace(t, "hub"), out: harness.NewNamespace(t, "box")}
	y.hub.Join(t, yardHub+"/24", y.out, yardContainer+"/24")
	y.p = harness.Start(t, harness.Options{Inside: y.hub, Listen: "0.0.0.0:0"})
	u, err := url.Parse(y.p.Env(t, "")["HTTPS_PROXY"])
	if err != nil {
		t.Fatal(err)
	}
	u.Host = net.JoinHostPort(yardHub, u.Port())
	y.proxy = u.String()
	return y
}

// lay gives the platform what scripts/image --parts has laid into .test/images for the image, without which it can't be made.
func (y *yard) lay(t *testing.T, service string) {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	parts := filepath.Join(root, ".test", "images", service)
	if _, err := os.Stat(filepath.Join(parts, "done")); err != nil {
		t.Skipf("the parts of the image aren't at hand (scripts/image --parts .test/images): %v", err)
	}
	if err := os.MkdirAll(filepath.Join(y.p.Data, "images"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(parts, filepath.Join(y.p.Data, "images", service)); err != nil {
		t.Fatal(err)
	}
}

// docker is `docker run IMAGE eula=accept apikey=KEY billing=URL` without Docker: the image's entry point and those arguments, nothing else, with the image's files as
// root, its environment and the engine's proxy, its user, and a network of its own in which port 5000 is free.
func (y *yard) docker(t *testing.T, root string, c v1.Config, a account) *exec.Cmd {
	t.Helper()
	chroot, err := exec.LookPath("chroot")
	if err != nil {
		t.Skip("programs are run from an image's files with chroot: ", err)
	}
	words := append([]string{"--userspec=" + c.User, "--groups=", root}, c.Entrypoint...)
	cmd := y.out.Command(chroot, append(words, "eula=accept", "apikey="+a.key, "billing="+a.endpoint)...)
	cmd.Env = append(c.Env, "HTTP_PROXY="+y.proxy)
	return cmd
}

// start runs a container and waits until it is ready. It ends with the test.
func (y *yard) start(t *testing.T, cmd *exec.Cmd) *lines {
	t.Helper()
	said, ended := &lines{}, make(chan struct{})
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			t.Errorf("still running long after SIGTERM:\n%s", said)
			_ = cmd.Process.Kill()
			<-ended
		}
	})
	within(t, "ready", func() bool {
		select {
		case <-ended:
			t.Fatalf("the container ended:\n%s", said)
		default:
		}
		status, _ := y.ask(t, "GET", "/ready", "", nil)
		return status == 200
	})
	return said
}

// ask sends a request to the container from the platform's network; status 0: it can't be reached.
func (y *yard) ask(t *testing.T, method, path, contentType string, body []byte) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://container:5000"+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	answer, err := y.hub.Client(yardContainer).Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(b)
}

// question is one request to a container and the pieces that its answer has.
type question struct {
	path, contentType string
	body              func(t *testing.T) []byte
	want              []string
}

func documents(texts string) func(*testing.T) []byte {
	return func(*testing.T) []byte { return []byte(`{"documents":[` + texts + `]}`) }
}

func file(path func(*testing.T) string) func(*testing.T) []byte {
	return func(t *testing.T) []byte {
		b, err := os.ReadFile(path(t))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

// TestImages walks the post for each image: docker pull by a registry client through the proxy, docker run, a request; and a key of another kind of account.
func TestImages(t *testing.T) {
	y := newYard(t)
	kinds := map[string]account{
		"TextAnalytics": put(t, y.p, "TextAnalytics", "S0", true), "Face": put(t, y.p, "Face", "S0", true), "ComputerVision": put(t, y.p, "ComputerVision", "S1", true),
	}
	const json, octets = "application/json", "application/octet-stream"
	for _, c := range []struct {
		service, kind, other string
		parts                bool
		questions            []question
	}{
		{"language", "TextAnalytics", "Face", false, []question{
			{"/text/analytics/v2.0/languages", json, documents(`{"id":"1","text":"Where is the railway station, please?"},{"id":"2","text":"Wo ist denn hier der Bahnhof?"}`), []string{`"iso6391Name":"en"`, `"iso6391Name":"de"`}},
		}},
		{"sentiment", "TextAnalytics", "ComputerVision", false, []question{
			{"/text/analytics/v3.0/sentiment", json, documents(`{"id":"1","language":"en","text":"What a wonderful hotel, we loved it!"},{"id":"2","language":"en","text":"The worst meal I ever had, terrible."}`), []string{`"id":"1","sentiment":"positive"`, `"id":"2","sentiment":"negative"`}},
		}},
		{"keyphrase", "TextAnalytics", "Face", false, []question{
			{"/text/analytics/v2.1/keyPhrases", json, documents(`{"id":"1","language":"en","text":"The railway station was closed because of the flood."}`), []string{`"railway station"`, `"flood"`}},
		}},
		{"face", "Face", "TextAnalytics", true, []question{
			{"/face/v1.0/detect?returnFaceAttributes=age", octets, file(photo), []string{`"faceRectangle"`, `"age":`}},
		}},
		{"recognize-text", "ComputerVision", "Face", true, []question{
			{"/vision/v2.0/recognizeTextDirect?mode=Printed", octets, file(printPicture), printed},
			{"/vision/v3.2/read/syncAnalyze", "application/pdf", func(*testing.T) []byte { return []byte(printDocument) }, []string{"Tickets are sold on the quay"}},
		}},
	} {
		t.Run(c.service, func(t *testing.T) {
			if c.parts {
				y.lay(t, c.service)
			}
			img, err := pull(t, y.p.ProxyWayFrom(t, y.out, yardHub).Client, c.service, ":latest")
			if err != nil {
				t.Fatal(err)
			}
			f, err := img.ConfigFile()
			if err != nil {
				t.Fatal(err)
			}
			entry := []string{"/bulkhead", "cognitive", c.service, "--listen", "0.0.0.0:5000"}
			if _, ok := f.Config.ExposedPorts["5000/tcp"]; !ok || f.Config.User == "" || !slices.Equal(f.Config.Entrypoint, entry) {
				t.Errorf("%+v", f.Config)
			}
			root := t.TempDir()
			unpack(t, img, root)
			devices(t, root)

			refused := y.docker(t, root, f.Config, kinds[c.other])
			out, err := refused.CombinedOutput()
			if refused.ProcessState.ExitCode() != 1 || !strings.Contains(strings.ToLower(string(out)), "of another kind of account") {
				t.Errorf("with a key for %s: %v\n%s", c.other, err, out)
			}

			a := kinds[c.kind]
			said := y.start(t, y.docker(t, root, f.Config, a))
			for _, q := range c.questions {
				status, answer := y.ask(t, "POST", q.path, q.contentType, q.body(t))
				for _, piece := range q.want {
					if status != 200 || !strings.Contains(answer, piece) {
						t.Errorf("%s: %d %s, want %s\n%s", q.path, status, answer, piece, said)
					}
				}
			}
			if status, answer := y.ask(t, "GET", "/status", "", nil); status != 200 || !strings.Contains(answer, `"apiStatus":"Valid"`) {
				t.Errorf("the key was not judged valid by the account: %d %s\n%s", status, answer, said)
			}
			if log := said.String() + string(out); strings.Contains(log, a.key) || strings.Contains(log, kinds[c.other].key) {
				t.Error("a key is in the log")
			}
		})
	}
}

// photo is a sample with faces, of a package whose models the image holds.
func photo(t *testing.T) string {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(root, ".test/face/node_modules/@vladmandic/face-api/demo/sample6.jpg")
	if _, err := os.Stat(name); err != nil {
		t.Skipf("the sample photo isn't at hand (scripts/face-models --test): %v", err)
	}
	return name
}

// printDocument is a document of one page with a line. Readers find its parts without a table of where they are.
const printDocument = `%PDF-1.4
1 0 obj
<< /Type /Catalog /Pages 2 0 R >>
endobj
2 0 obj
<< /Type /Pages /Kids [4 0 R] /Count 1 >>
endobj
3 0 obj
<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>
endobj
4 0 obj
<< /Type /Page /Parent 2 0 R /MediaBox [0 0 400 200] /Contents 5 0 R /Resources << /Font << /F1 3 0 R >> >> >>
endobj
5 0 obj
<< /Length 62 >>
stream
BT /F1 18 Tf 30 120 Td (Tickets are sold on the quay) Tj ET   
endstream
endobj
trailer
<< /Size 6 /Root 1 0 R >>
%%EOF
`

// TestImage_References: one image by its tags and by its digest; the client checks every byte against what the registry promises.
func TestImage_References(t *testing.T) {
	p := shared.Platform(t)
	client := p.ProxyWay(t).Client
	img, err := pull(t, client, "language", ":latest")
	if err != nil {
		t.Fatal(err)
	}
	if err := imagecheck.Image(img); err != nil {
		t.Error(err)
	}
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	repo, err := name.NewRepository(repository + "language")
	if err != nil {
		t.Fatal(err)
	}
	with := []remote.Option{remote.WithTransport(client.Transport), remote.WithContext(t.Context())}
	tags, err := remote.List(repo, with...)
	if err != nil || len(tags) != 2 {
		t.Errorf("tags are %v, %v", tags, err)
	}
	for _, tag := range tags {
		if d, err := remote.Head(repo.Tag(tag), with...); err != nil || d.Digest != digest {
			t.Errorf("%s is %+v, want %s, %v", tag, d, digest, err)
		}
	}
	same, err := pull(t, client, "language", "@"+digest.String())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := same.Digest(); err != nil || got != digest {
		t.Errorf("%s, want %s, %v", got, digest, err)
	}
}

// TestImage_Refused: an image whose models aren't here says how to get them; one that isn't there is unknown, as are other tags and digests; nothing is written.
func TestImage_Refused(t *testing.T) {
	p := shared.Platform(t)
	client := p.ProxyWay(t).Client
	none := "@sha256:" + strings.Repeat("0", 64)
	for _, c := range []struct{ service, reference, code, text string }{
		{"recognize-text", ":latest", "MANIFEST_UNKNOWN", "scripts/image"},
		{"face", ":latest", "MANIFEST_UNKNOWN", "scripts/image"},
		{"luis", ":latest", "NAME_UNKNOWN", "azure-cognitive-services/keyphrase"},
		{"language", ":none", "MANIFEST_UNKNOWN", "latest"},
		{"language", none, "MANIFEST_UNKNOWN", none[1:]},
	} {
		_, err := pull(t, client, c.service, c.reference)
		var told *transport.Error
		if !errors.As(err, &told) || told.StatusCode != 404 || len(told.Errors) != 1 || string(told.Errors[0].Code) != c.code || !strings.Contains(told.Errors[0].Message, c.text) {
			t.Errorf("%s%s: %v, want %s ... %s", c.service, c.reference, err, c.code, c.text)
		}
	}
	ref, err := name.NewTag(repository + "language:mine")
	if err != nil {
		t.Fatal(err)
	}
	err = remote.Write(ref, empty.Image, remote.WithTransport(client.Transport), remote.WithContext(t.Context()))
	var told *transport.Error
	if !errors.As(err, &told) || told.StatusCode != 405 || len(told.Errors) != 1 || told.Errors[0].Code != transport.UnsupportedErrorCode {
		t.Errorf("pushing: %v, want %s", err, transport.UnsupportedErrorCode)
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

// devices adds the one that programs want of those every engine gives.
func devices(t *testing.T, root string) {
	t.Helper()
	null := filepath.Join(root, "dev", "null")
	if err := os.MkdirAll(filepath.Dir(null), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mknod(null, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err != nil {
		t.Skipf("this system lets no device be made: %v", err)
	}
	if err := os.Chmod(null, 0o666); err != nil {
		t.Fatal(err)
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
			if err = in.MkdirAll(at, 0o755); err == nil {
				err = in.Chmod(at, os.FileMode(h.Mode)&0o777) // whatever the umask: everybody may write to /tmp
			}
		case tar.TypeSymlink:
			err = in.Symlink(h.Linkname, at)
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
