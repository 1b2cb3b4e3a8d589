package fasttext

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/benchbar"
)

func small() Options {
	o := Defaults()
	o.Dim, o.Bucket, o.Steps, o.MinCount, o.MaxWords = 8, 1<<12, 6000, 2, 500
	return o
}

// colours is a made-up task: a text is of the class whose letters it has.
func colours() Samples {
	s := Samples{Labels: []string{"red", "green", "blue"}}
	for _, letters := range []string{"abcde", "fghij", "kämno"} {
		var texts []string
		runes := []rune(letters)
		for i := range 60 {
			var b strings.Builder
			for j := range 12 {
				b.WriteRune(runes[(i*7+j*j+i*j)%5])
				if j%4 == 3 {
					b.WriteByte(' ')
				}
			}
			texts = append(texts, b.String())
		}
		s.Texts = append(s.Texts, texts)
	}
	return s
}

func trained(t testing.TB, loss Loss, keep int) *Model {
	t.Helper()
	o := small()
	o.Loss, o.Keep, o.Retrain = loss, keep, 2000
	m, err := Train(colours(), o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func encoded(t testing.TB, m *Model) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := m.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestTrain_WriteRead(t *testing.T) {
	for _, c := range []struct {
		name string
		loss Loss
		keep int
	}{{"softmax", Softmax, 0}, {"softmax coded", Softmax, 300}, {"tree", HierarchicalSoftmax, 0}, {"tree coded", HierarchicalSoftmax, 300}} {
		t.Run(c.name, func(t *testing.T) {
			m := trained(t, c.loss, c.keep)
			b := encoded(t, m)
			if again := encoded(t, trained(t, c.loss, c.keep)); !bytes.Equal(b, again) {
				t.Error("the same samples, options and seed gave another model")
			}
			read, err := Read(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			if c.keep > 0 && read.Rows() != c.keep {
				t.Errorf("%d rows; want the %d kept", read.Rows(), c.keep)
			}
			p, q := m.NewPredictor(), read.NewPredictor()
			all := make([]float32, 3)
			for text, want := range map[string]string{"abc dea": "red", "jgh": "green", "äk nom": "blue", "aaa bbb ccc": "red", "fij ghh\nabcde abcde abcde": "green"} {
				got, prob := q.Best(text)
				if read.Labels()[got] != want || prob < 0.8 {
					t.Errorf("%q is %s with %.3f; want %s", text, read.Labels()[got], prob, want)
				}
				if l, pr := p.Best(text); m.Labels()[l] != want || math.Abs(pr-prob) > 1e-6 {
					t.Errorf("%q: %g as trained, %g as read", text, pr, prob)
				}
				if !q.Probabilities(text, all) || math.Abs(float64(all[got])-prob) > 1e-6 {
					t.Errorf("%q: %v; the best is %g", text, all, prob)
				}
				if sum := float64(all[0] + all[1] + all[2]); math.Abs(sum-1) > 1e-3 {
					t.Errorf("%q: probabilities add up to %g", text, sum)
				}
			}
		})
	}
}

func TestTrain_Refused(t *testing.T) {
	good := colours()
	for name, change := range map[string]func(*Samples, *Options){
		"one label":        func(s *Samples, _ *Options) { s.Labels, s.Texts = s.Labels[:1], s.Texts[:1] },
		"no text":          func(s *Samples, _ *Options) { s.Texts = [][]string{good.Texts[0], nil, good.Texts[1]} },
		"no rows":          func(_ *Samples, o *Options) { o.Dim = 0 },
		"n-grams":          func(_ *Samples, o *Options) { o.MinN, o.MaxN = 4, 3 },
		"unknown loss":     func(_ *Samples, o *Options) { o.Loss = 2 },
		"no steps":         func(_ *Samples, o *Options) { o.Steps = 0 },
		"too many buckets": func(_ *Samples, o *Options) { o.Bucket = maxBucket + 1 },
	} {
		s, o := good, small()
		change(&s, &o)
		if _, err := Train(s, o); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: %v; want ErrOptions", name, err)
		}
	}
}

func TestBest_NothingKnown(t *testing.T) {
	p := trained(t, Softmax, 300).NewPredictor()
	if l, prob := p.Best("abc"); l < 0 || prob <= 0 {
		t.Errorf("abc: %d %g", l, prob)
	}
	// The end of a line is a word every model knows, so that even an empty text has an answer.
	if l, _ := p.Best(""); l < 0 {
		t.Error("the empty text has no answer")
	}
}

// TestRead_Damaged changes each field of the head and cuts the file everywhere: never a panic, always ErrFormat.
func TestRead_Damaged(t *testing.T) {
	good := encoded(t, trained(t, HierarchicalSoftmax, 300))
	for n := 0; n < len(good); n += 1 + n/50 {
		if _, err := Read(bytes.NewReader(good[:n])); !errors.Is(err, ErrFormat) {
			t.Fatalf("cut at %d of %d: %v", n, len(good), err)
		}
	}
	for _, c := range []struct {
		name string
		at   int
		with uint32
	}{
		{"magic", 0, 1},
		{"version", 4, 99},
		{"dim", 8, 1 << 30},
		{"dim 0", 8, 0},
		{"loss", 32, 2},
		{"kind", 36, 1},
		{"bucket", 40, 1 << 30},
		{"negative bucket", 40, 1 << 31},
		{"maxn", 48, 5000},
		{"entries", 64, 1 << 30},
		{"words", 68, 1 << 30},
		{"labels", 72, 0},
		{"kept", 84, 1 << 30},
	} {
		b := bytes.Clone(good)
		binary.LittleEndian.PutUint32(b[c.at:], c.with)
		if _, err := Read(bytes.NewReader(b)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v; want ErrFormat", c.name, err)
		}
	}
}

// TestBest_Allocations holds the bar of no allocation for a text once buffers have grown.
func TestBest_Allocations(t *testing.T) {
	for name, m := range map[string]*Model{"softmax": trained(t, Softmax, 300), "tree": trained(t, HierarchicalSoftmax, 300)} {
		p := m.NewPredictor()
		long := strings.Repeat("abc hij kämno ", 50)
		p.Best(long)
		if n := testing.AllocsPerRun(100, func() { p.Best("abc fgh"); p.Best(long) }); n != 0 {
			t.Errorf("%s: %g allocations", name, n)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, loss := range []Loss{Softmax, HierarchicalSoftmax} {
		for _, keep := range []int{0, 50} {
			o := small()
			o.Dim, o.Bucket, o.Steps, o.MaxWords, o.Loss, o.Keep = 4, 64, 100, 10, loss, keep
			m, err := Train(colours(), o)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(encoded(f, m), "abc fgh")
		}
	}
	f.Fuzz(func(t *testing.T, file []byte, text string) {
		m, err := Read(bytes.NewReader(file))
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("%v; want ErrFormat", err)
			}
			return
		}
		p := m.NewPredictor()
		into := make([]float32, len(m.Labels()))
		if l, _ := p.Best(text); l >= len(into) {
			t.Fatalf("label %d of %d", l, len(into))
		}
		p.Probabilities(text, into)
		p.Logits(text, into)
	})
}

func BenchmarkBest(b *testing.B) {
	m := lid176(b)
	all := texts(b, 2000)
	p := m.NewPredictor()
	for _, text := range all {
		p.Best(text)
	}
	i := 0
	bar := benchbar.Start(b)
	for b.Loop() {
		p.Best(all[i%len(all)])
		i++
	}
	bar.Allocs(0)
}
