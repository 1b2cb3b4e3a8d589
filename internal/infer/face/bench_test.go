package face

import "testing"

// BenchmarkPhoto is everything that can be told of the one face of a photo of 640x480, and its embedding.
func BenchmarkPhoto(b *testing.B) {
	m := models(b)
	photo, ok := photos(b)["sample3.jpg"]
	if !ok {
		b.Skip("the sample photo isn't there")
	}
	// The part around one person, in which there is one face.
	img := &Image{W: 640, H: 480, Pix: make([]byte, 3*640*480)}
	for y := range img.H {
		for x := range img.W {
			copy(img.Pix[3*(y*img.W+x):][:3], photo.Pix[3*((200+y)*photo.W+300+x):])
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		faces, err := m.Detect(img)
		if err != nil || len(faces) != 1 {
			b.Fatalf("%d faces, %v", len(faces), err)
		}
		if _, err := m.Describe(&faces[0]); err != nil {
			b.Fatal(err)
		}
		if _, err := m.Emotion(&faces[0]); err != nil {
			b.Fatal(err)
		}
		if _, err := m.Embed(img, &faces[0]); err != nil {
			b.Fatal(err)
		}
	}
}
