package sentiment

import (
	"bytes"
	"testing"
)

// smallCorpus is enough to learn two words from.
func smallCorpus() ([]Example, []Entry) {
	var list []Example
	for range 20 {
		list = append(list,
			Example{Language: "en", Text: "a splendid evening", Polarity: 1},
			Example{Language: "en", Text: "a dreary evening", Polarity: -1},
			Example{Language: "en", Text: "an evening", Polarity: 0})
	}
	return list, []Entry{{"en", "nice", 0.5}, {"en", "nasty", -0.5}, {"", "❤", 0.8}}
}

func TestTrain_Reproducible(t *testing.T) {
	t.Parallel()
	examples, entries := smallCorpus()
	var files [2][]byte
	for i := range files {
		raw, err := Train(examples, entries, Options{Bits: 12}).Encode()
		if err != nil {
			t.Fatal(err)
		}
		files[i] = raw
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Error("two trainings with the same seed made different files")
	}
	m, err := Decode(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{"splendid": Positive, "dreary": Negative, "an evening": Neutral} {
		if doc, err := m.Analyze(text, "en"); err != nil || doc.Label != want {
			t.Errorf("%q: got %s %+v (%v), want %s", text, doc.Label, doc.Scores, err, want)
		}
	}
}

func TestDecode_Refuses(t *testing.T) {
	t.Parallel()
	examples, entries := smallCorpus()
	raw, err := Train(examples, entries, Options{Bits: 8}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string][]byte{"nothing": nil, "other magic": []byte("BHSENT99rest"), "cut": raw[:len(raw)/2], "noise": append([]byte(magic), 1, 2, 3, 4)} {
		if _, err := Decode(file); err == nil {
			t.Errorf("%s: decoded", name)
		}
	}
}

func FuzzDecode(f *testing.F) {
	examples, entries := smallCorpus()
	raw, err := Train(examples, entries, Options{Bits: 6, Epochs: 1}).Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, file []byte) {
		m, err := Decode(file)
		if err != nil {
			return
		}
		if _, err := m.Analyze("A splendid ❤ evening, not nasty.", "en"); err != nil {
			t.Fatal(err)
		}
	})
}
