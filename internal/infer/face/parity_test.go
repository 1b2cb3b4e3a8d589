package face

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// original is a face as the JavaScript original tells it.
type original struct {
	Mesh        [][3]float64
	Score, Age  float64
	Gender      string
	GenderScore float64
	Embedding   Embedding
	Angle       struct{ Pitch, Yaw, Roll float64 }
	Emotion     map[string]float64
}

// TestParity holds this package's results against the JavaScript original's, on the sample photos of the original's packages: landmarks within 2 pixels, embeddings with a
// cosine of 0.999, age, gender, emotions and pose the same to rounding. The original truncates coordinates to whole pixels and scores to hundredths.
func TestParity(t *testing.T) {
	t.Parallel()
	modules := nodeModules(t)
	m := models(t)
	var names, args []string
	var images []*Image
	dir := t.TempDir()
	for name, img := range photos(t) {
		raw := filepath.Join(dir, name+".rgb")
		if err := os.WriteFile(raw, img.Pix, 0o600); err != nil {
			t.Fatal(err)
		}
		names, images, args = append(names, name), append(images, img), append(args, fmt.Sprintf("%dx%d:%s", img.W, img.H, raw))
	}
	cmd := exec.Command("node", append([]string{"testdata/original.mjs", modules}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the original: %v", err)
	}
	var want [][]original
	if err := json.Unmarshal(out, &want); err != nil {
		t.Fatal(err)
	}
	total, worst, least := 0, 0.0, 1.0
	for i, name := range names {
		got := asOriginal(t, m, images[i])
		for _, w := range want[i] {
			if w.Score < minMesh {
				continue
			}
			total++
			g := nearest(got, w)
			if g == nil {
				t.Errorf("%s: the face at %v isn't found", name, w.Mesh[1])
				continue
			}
			d, cosine := compare(t, name, m, g, w)
			worst, least = max(worst, d), min(least, cosine)
		}
	}
	t.Logf("%d faces of %d photos: landmarks at most %.2f pixels apart, cosine of embeddings at least %.6f", total, len(names), worst, least)
	if total < 20 {
		t.Errorf("only %d faces were compared", total)
	}
}

// asOriginal are an image's faces as the original finds them: by one look at the whole.
func asOriginal(t *testing.T, m *Models, img *Image) []Face {
	t.Helper()
	found, err := m.candidates(img, 0, 0, img.W, img.H)
	if err != nil {
		t.Fatal(err)
	}
	s := search{m: m, img: img}
	for _, c := range distinct(found, MaxFaces) {
		f, err := s.face(&c)
		if err != nil {
			t.Fatal(err)
		}
		s.take(f, &c)
	}
	return s.faces
}

// nearest is the face whose nose is nearest the original's.
func nearest(faces []Face, w original) *Face {
	var best *Face
	least := 20.0
	for i, f := range faces {
		if d := math.Hypot(f.mesh.points[1].x-w.Mesh[1][0], f.mesh.points[1].y-w.Mesh[1][1]); d < least {
			best, least = &faces[i], d
		}
	}
	return best
}

// compare fails on what is too far apart, and answers the farthest landmark and the embeddings' cosine.
func compare(t *testing.T, name string, m *Models, g *Face, w original) (farthest, cosine float64) {
	t.Helper()
	if len(w.Mesh) != len(g.mesh.points) {
		t.Fatalf("%s: %d points, want %d", name, len(g.mesh.points), len(w.Mesh))
	}
	for i, p := range g.mesh.points {
		farthest = max(farthest, math.Hypot(p.x-w.Mesh[i][0], p.y-w.Mesh[i][1]))
	}
	if farthest > 2 {
		t.Errorf("%s at %v: a landmark is %.2f pixels from the original's", name, w.Mesh[1], farthest)
	}
	d, err := m.describe(g.mesh.crop)
	if err != nil {
		t.Fatal(err)
	}
	if cosine = cosineOf(d.descriptor, w.Embedding); cosine < 0.999 {
		t.Errorf("%s at %v: the descriptors' cosine is %.6f", name, w.Mesh[1], cosine)
	}
	p := Person{Age: d.age, Male: d.male}
	if math.Abs(p.Age-w.Age) > 0.5 {
		t.Errorf("%s at %v: age %.1f, the original's is %.1f", name, w.Mesh[1], p.Age, w.Age)
	}
	if score := 2 * math.Abs(p.Male-0.5); math.Abs(min(score, 0.99)-w.GenderScore) > 0.03 || p.Male > 0.5 != (w.Gender == "male") && score > 0.05 {
		t.Errorf("%s at %v: male %.3f, the original's is %s %.2f", name, w.Mesh[1], p.Male, w.Gender, w.GenderScore)
	}
	e, err := m.Emotion(g)
	if err != nil {
		t.Fatal(err)
	}
	for label, got := range map[string]float64{
		"angry": e.Anger, "disgust": e.Disgust, "fear": e.Fear, "happy": e.Happiness, "sad": e.Sadness, "surprise": e.Surprise, "neutral": e.Neutral,
	} {
		if math.Abs(min(got, 0.99)-w.Emotion[label]) > 0.03 {
			t.Errorf("%s at %v: %s %.3f, the original's is %.2f", name, w.Mesh[1], label, got, w.Emotion[label])
		}
	}
	const degree = 180 / math.Pi
	for label, d := range map[string]float64{"pitch": g.Pose.Pitch - degree*w.Angle.Pitch, "yaw": g.Pose.Yaw - degree*w.Angle.Yaw, "roll": g.Pose.Roll - degree*w.Angle.Roll} {
		if math.Abs(d) > 2 {
			t.Errorf("%s at %v: %s is %.2f degrees from the original's", name, w.Mesh[1], label, d)
		}
	}
	return farthest, cosine
}

// TestRecognitionParity holds embeddings against the original's of the same upright crops.
func TestRecognitionParity(t *testing.T) {
	t.Parallel()
	modules := nodeModules(t)
	m := models(t)
	dir := t.TempDir()
	args := []string{"testdata/recognition.mjs", modules}
	var got []Embedding
	for name, img := range photos(t) {
		faces, err := m.Detect(img)
		if err != nil {
			t.Fatal(err)
		}
		for i := range faces {
			chip := faces[i].mesh.chip(img)
			raw := make([]byte, len(chip))
			for k, v := range chip {
				raw[k] = byte(v + 0.5)
				chip[k] = float32(raw[k])
			}
			file := filepath.Join(dir, fmt.Sprint(name, i))
			if err := os.WriteFile(file, raw, 0o600); err != nil {
				t.Fatal(err)
			}
			e, err := m.embed(chip)
			if err != nil {
				t.Fatal(err)
			}
			got, args = append(got, e), append(args, file)
		}
	}
	cmd := exec.Command("node", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the original: %v", err)
	}
	var want []Embedding
	if err := json.Unmarshal(out, &want); err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) || len(got) < 20 {
		t.Fatalf("got %d embeddings, the original %d", len(got), len(want))
	}
	least := 1.0
	for i := range got {
		c := cosineOf(got[i], want[i])
		least = min(least, c)
		if c < 0.999 || got[i].Distance(want[i]) > 0.01 {
			t.Errorf("%s: cosine %.6f, distance %.4f", args[i+2], c, got[i].Distance(want[i]))
		}
	}
	t.Logf("%d embeddings, the least cosine is %.6f", len(got), least)
}
