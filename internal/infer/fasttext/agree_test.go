package fasttext

import (
	"bufio"
	"os"
	"testing"
)

func TestTmp(t *testing.T) {
	m, err := Open(os.Getenv("LID"))
	if err != nil {
		t.Fatal(err)
	}
	f, _ := os.Open(os.Getenv("TEXTS"))
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	o, _ := os.Create(os.Getenv("OUT"))
	w := bufio.NewWriter(o)
	p := m.NewPredictor()
	for s.Scan() {
		l, pr := p.Best(s.Text())
		name := ""
		if l >= 0 {
			name = m.labels[l]
		}
		w.WriteString(name + "\n")
		_ = pr
	}
	w.Flush()
}
func BenchmarkTmp(b *testing.B) {
	m, err := Open(os.Getenv("LID"))
	if err != nil {
		b.Fatal(err)
	}
	f, _ := os.Open(os.Getenv("TEXTS"))
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	var ts []string
	for s.Scan() {
		ts = append(ts, s.Text())
	}
	p := m.NewPredictor()
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		p.Best(ts[i%len(ts)])
		i++
	}
}
