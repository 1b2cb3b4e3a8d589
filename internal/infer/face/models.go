package face

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/infer/tensor"
)

// The packages the weights come from, as npm writes them; the licence of both is MIT.
const (
	humanPackage   = "@vladmandic/human@3.3.6"
	faceAPIPackage = "@vladmandic/face-api@1.7.15"
)

// ErrMissing is the cause of Open's error when weights aren't there, as opposed to being there and wrong.
var ErrMissing = errors.New("the face models are missing")

// weights are the packages' files that are used, from models/ of the one and model/ of the other, and the SHA-256 of each.
func weights() map[string]string {
	return map[string]string{
		"blazeface.json": "cd7bbfc078270572beb39f9e5ae67aadbd50b5e67cff37e6d4f6b3ea39312e5f",
		"blazeface.bin":  "dc9a97fdc50bc43216554bdd69aa3e7b9361a519ee7bdd996a2f69a98a6f9b72",
		"facemesh.json":  "b60ca26f404724f43bd2b1575761d8265180e1f053cc0731caa68462927309e7",
		"facemesh.bin":   "3826da640b0a3021161605369ee6af293f75d518040355b960ec71a3390c1c0b",
		"iris.json":      "49038ac9dcc09aa05474d91d98e9db5b47af4830929bcf102ed5a56bfbabb465",
		"iris.bin":       "d7f296d184274213d4642681ae186112cbbec77fd2ab066257d3c56a1940bc71",
		"faceres.json":   "5b83d49c0385d2e68a05122441b94226313677cae9fcc40b9587ad50079eb4df",
		"faceres.bin":    "2c7d2d62b76c97528b736527aa09d310ea71743c9e3e79fb6c62d4b2d73af79b",
		"emotion.json":   "56f7e557eb0c863a8b9ab04ac7ccba756e93bf2c27dce135ef0e8712b80b7ad2",
		"emotion.bin":    "927ac8224f356ab1e68c2bcfbfa07b0c8567047d1bcf817388ba6e38214c4987",

		"face_recognition_model-weights_manifest.json": "cbaffa501b0b9275a12b63357a6843e7e30c054e1c9151e1a5f879b26e32986b",
		"face_recognition_model.bin":                   "b413e420d6840b2775fba32008db6f3cddb07d485967fb42cfcf379c16a8c589",
	}
}

// Models are the networks, ready to run.
type Models struct {
	detector, mesh, iris, description, emotion, recognition *tensor.Model
}

// Open loads the weights of a folder, which holds the packages' files side by side. The error of absent files wraps ErrMissing, names them and
// says how to get them; a file with other contents than expected is refused by name.
func Open(dir string) (*Models, error) {
	m := &Models{}
	files := map[string][]byte{}
	var missing []string
	for _, name := range slices.Sorted(maps.Keys(weights())) {
		b, err := read(dir, name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, name)
		case err != nil:
			return nil, err
		}
		files[name] = b
	}
	if missing != nil {
		return nil, fmt.Errorf("%w: %s has no %s; get them with `scripts/face-models %s`, which takes them from the npm packages %s and %s",
			ErrMissing, dir, strings.Join(missing, ", "), dir, humanPackage, faceAPIPackage)
	}
	for _, net := range []struct {
		name    string
		into    **tensor.Model
		batch   int
		outputs []string
	}{
		{"blazeface", &m.detector, 1, []string{"Identity", "Identity_1", "Identity_2", "Identity_3"}},
		{"facemesh", &m.mesh, 1, []string{"Identity_2", "Identity_1"}},
		{"iris", &m.iris, 2, []string{"Identity"}},
		{"faceres", &m.description, 1, []string{"gender_pred/Sigmoid", "age_pred/Softmax", "global_pooling/Mean"}},
		{"emotion", &m.emotion, 1, []string{"Identity"}},
	} {
		model, err := tensor.Load(files[net.name+".json"], files[net.name+".bin"], net.batch, net.outputs...)
		if err != nil {
			return nil, fmt.Errorf("face model %s: %w", net.name, err)
		}
		*net.into = model
	}
	var err error
	if m.recognition, err = recognition(files["face_recognition_model-weights_manifest.json"], files["face_recognition_model.bin"]); err != nil {
		return nil, fmt.Errorf("face model face_recognition_model: %w", err)
	}
	return m, m.check()
}

// read reads one file and compares its hash.
func read(dir, name string) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return nil, fmt.Errorf("face model %s: %w", name, err)
	}
	sum := sha256.Sum256(b)
	if got, want := hex.EncodeToString(sum[:]), weights()[name]; got != want {
		return nil, fmt.Errorf("face model %s in %s has SHA-256 %s instead of %s: it isn't the file of %s or %s", name, dir, got, want, humanPackage, faceAPIPackage)
	}
	return b, nil
}

// check compares the networks' shapes with what this package takes from them.
func (m *Models) check() error {
	for _, c := range []struct {
		net  *tensor.Model
		want string
	}{
		{m.detector, "[1 256 256 3] [[1 512 1] [1 384 1] [1 512 16] [1 384 16]]"},
		{m.mesh, "[1 192 192 3] [[1 1404] [1 1]]"},
		{m.iris, "[2 64 64 3] [[2 1 1 228]]"},
		{m.description, "[1 224 224 3] [[1 1] [1 100] [1 1024]]"},
		{m.emotion, "[1 64 64 1] [[1 7]]"},
		{m.recognition, "[1 150 150 3] [[1 128]]"},
	} {
		if got := fmt.Sprint(c.net.InputShape(), " ", c.net.OutputShapes()); got != c.want {
			return fmt.Errorf("a face model has the shapes %s instead of %s", got, c.want)
		}
	}
	return nil
}
