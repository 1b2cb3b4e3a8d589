package keyphrase

import (
	"bytes"
	"testing"
)

// smallCorpus is a treebank of two sentences and documents about them.
func smallCorpus() *Corpus {
	c := &Corpus{sentences: map[string][]sentence{}}
	for range 15 {
		c.sentences["en"] = append(c.sentences["en"],
			sentence{"the red kite flies", []int{3, 7, 12, 18}, []tag{determiner, adjective, noun, verb}},
			sentence{"a kite is red", []int{1, 6, 9, 13}, []tag{determiner, noun, auxiliary, adjective}})
		c.Train = append(c.Train, Document{Text: "the red kite flies . a kite is red .", Keys: []string{"red kites"}})
	}
	return c
}

func TestTrain_Reproducible(t *testing.T) {
	t.Parallel()
	var files [2][]byte
	for i := range files {
		raw, err := Train(smallCorpus(), Options{}).Encode()
		if err != nil {
			t.Fatal(err)
		}
		files[i] = raw
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Error("two trainings with the same seed made different files")
	}
	e, err := Decode(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if got, err := e.Phrases("a red kite flies", "en"); err != nil || len(got) == 0 || got[0] != "red kite" {
		t.Errorf("got %q, %v; want red kite first", got, err)
	}
}

func TestDecode_Refuses(t *testing.T) {
	t.Parallel()
	for name, file := range map[string][]byte{"nothing": nil, "other magic": []byte("BHKEYP99rest"), "cut": embedded[:len(embedded)/2], "noise": append([]byte(magic), 1, 2, 3)} {
		if _, err := Decode(file); err == nil {
			t.Errorf("%s: decoded", name)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(embedded[:4096])
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, file []byte) {
		e, err := Decode(file)
		if err != nil {
			return
		}
		if _, err := e.Phrases("The red kite flies over the old mill.", "en"); err != nil {
			t.Fatal(err)
		}
	})
}
