// Command faces measures what the Face API does with a photo: decode it, find its faces, tell everything of each and compute its embedding. It prints a Markdown table of
// milliseconds by the clock and by the processor, the best of some rounds.
//
//	faces [-modules .test/face/node_modules] [-rounds 20] [-brief]
//
// Weights and photos are those of the npm packages, which scripts/face-models --test fetches; without them it says so and measures nothing. With -brief it runs shortly and fails where a photo of
// 640x480 takes more than twice the processor time of the aim.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/draw"
	"image/jpeg"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/bulkheadhq/bulkhead/bench/machine"
	"github.com/bulkheadhq/bulkhead/internal/infer/face"
)

// aim is how long the photo of 640x480 with one face may take on an idle machine of two cores.
const aim = 150 * time.Millisecond

func main() {
	log.SetFlags(0)
	var modules string
	var rounds int
	var brief bool
	flag.StringVar(&modules, "modules", ".test/face/node_modules", "npm's folder with the packages of weights and photos")
	flag.IntVar(&rounds, "rounds", 20, "rounds; the best of each figure counts")
	flag.BoolVar(&brief, "brief", false, "a short run that fails on more than twice the aim's processor time")
	flag.Parse()
	if brief {
		rounds = 5
	}
	if err := run(modules, rounds, brief); err != nil {
		log.Fatal("faces: ", err)
	}
}

func run(modules string, rounds int, brief bool) error {
	packages := filepath.Join(modules, "@vladmandic")
	large, err := os.ReadFile(filepath.Join(packages, "face-api", "demo", "sample3.jpg"))
	if errors.Is(err, os.ErrNotExist) {
		fmt.Fprintln(os.Stderr, "faces: no weights (scripts/face-models --test installs them): left out")
		return nil
	}
	if err != nil {
		return err
	}
	models, err := open(packages)
	if err != nil {
		return err
	}
	small, err := part(large, image.Rect(300, 200, 940, 680))
	if err != nil {
		return err
	}
	fmt.Printf("%s, %d processors\n\n| a photo | faces | ms by the clock | ms of processor | aim |\n|---|---|---|---|---|\n", machine.Commit(), runtime.GOMAXPROCS(0))
	_, spent, err := measure(models, "640x480, all told and embedded", small, rounds, fmt.Sprintf("<= %d by the clock", aim.Milliseconds()))
	if err != nil {
		return err
	}
	if _, _, err := measure(models, "1920x1350, all told and embedded", large, max(2, rounds/4), ""); err != nil {
		return err
	}
	if brief && spent > 2*aim {
		return fmt.Errorf("a photo of 640x480 takes %v of processor time, more than twice %v", spent, aim)
	}
	return nil
}

// open brings the packages' weights together in a folder, as scripts/face-models does.
func open(packages string) (*face.Models, error) {
	dir, err := os.MkdirTemp("", "faces")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	for _, pattern := range []string{"human/models/*", "face-api/model/face_recognition_model*"} {
		files, err := filepath.Glob(filepath.Join(packages, pattern))
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, filepath.Base(f)), b, 0o600)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return face.Open(dir)
}

// part cuts a part out of a JPEG and encodes it again.
func part(photo []byte, r image.Rectangle) ([]byte, error) {
	m, err := jpeg.Decode(bytes.NewReader(photo))
	if err != nil {
		return nil, err
	}
	out := image.NewRGBA(image.Rect(0, 0, r.Dx(), r.Dy()))
	draw.Draw(out, out.Rect, m, r.Min, draw.Src)
	var b bytes.Buffer
	err = jpeg.Encode(&b, out, &jpeg.Options{Quality: 90})
	return b.Bytes(), err
}

// measure prints a row, and gives the best times.
func measure(m *face.Models, what string, photo []byte, rounds int, goal string) (clock, spent time.Duration, err error) {
	faces := 0
	for range rounds {
		begun, used := time.Now(), machine.Spent()
		if faces, err = look(m, photo); err != nil {
			return 0, 0, err
		}
		c, s := time.Since(begun), machine.Spent()-used
		if clock == 0 || c < clock {
			clock = c
		}
		if spent == 0 || s < spent {
			spent = s
		}
	}
	fmt.Printf("| %s | %d | %.0f | %.0f | %s |\n", what, faces, clock.Seconds()*1000, spent.Seconds()*1000, goal)
	return clock, spent, nil
}

// look does what a request for everything does.
func look(m *face.Models, photo []byte) (int, error) {
	img, err := face.Decode(photo)
	if err != nil {
		return 0, err
	}
	faces, err := m.Detect(img)
	if err != nil {
		return 0, err
	}
	if len(faces) == 0 {
		return 0, errors.New("no face is found")
	}
	for i := range faces {
		_, err1 := m.Describe(&faces[i])
		_, err2 := m.Emotion(&faces[i])
		_, err3 := m.Embed(img, &faces[i])
		if err := errors.Join(err1, err2, err3); err != nil {
			return 0, err
		}
	}
	return len(faces), nil
}
