package cognitive

import (
	"encoding/json"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

var printed = []string{"The ferry leaves at seven o'clock.", "Tickets are sold on the quay,", "next to the harbour office."}

// printPicture makes a picture with some print and gives its file.
func printPicture(t *testing.T) string {
	t.Helper()
	f, err := opentype.Parse(goregular.TTF)
	if err != nil {
		t.Fatal(err)
	}
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: 12, DPI: 150})
	if err != nil {
		t.Fatal(err)
	}
	page := image.NewGray(image.Rect(0, 0, 700, 300))
	draw.Draw(page, page.Rect, image.White, image.Point{}, draw.Src)
	d := font.Drawer{Dst: page, Src: image.NewUniform(color.Black), Face: face}
	for i, line := range printed {
		d.Dot = fixed.P(60, 90+50*i)
		d.DrawString(line)
	}
	name := filepath.Join(t.TempDir(), "print.png")
	out, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := png.Encode(out, page); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestRead_Clients: Azure's client for Node reads a picture by an account and by a container.
func TestRead_Clients(t *testing.T) {
	if _, err := exec.LookPath("tesseract"); err != nil {
		t.Skip("tesseract is not installed")
	}
	p := shared.Platform(t)
	a := put(t, p, "ComputerVision", "S1", true)
	words, env := program(t, "read.mjs")
	words = append(words, printPicture(t))
	c := run(t, p, "recognize-text", "eula=accept", "apikey="+a.key, "billing="+a.endpoint)
	for name, at := range map[string]string{"account": a.endpoint, "container": c.url} {
		t.Run(name, func(t *testing.T) {
			b := p.Exec(t, "", append(env, "ENDPOINT="+strings.TrimSuffix(at, "/"), "KEY="+a.key), words...)
			var got map[string]json.RawMessage
			if err := json.Unmarshal(b, &got); err != nil {
				t.Fatalf("%s", b)
			}
			text, err := json.Marshal(strings.Join(printed, " "))
			if err != nil {
				t.Fatal(err)
			}
			want(t, got, map[string]string{"status": `"succeeded"`, "unit": `"pixel"`, "text": string(text), "boxes": "true", "angle": "0", "language": "400", "pages": "400", "unknown": "404"})
		})
	}
}
