package keyphrase

import (
	"archive/zip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestReadCorpus reads a treebank, with a word that is two in the grammar, and an archive of documents.
func TestReadCorpus(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	word := func(fields ...string) string { return strings.Join(fields, "\t") + "\n" }
	bank := "# text = du pain.\n" +
		word("1-2", "du", "_", "_", "_", "_", "_", "_", "_", "_") +
		word("1", "de", "de", "ADP", "_", "_", "3", "case", "_", "_") +
		word("2", "le", "le", "DET", "_", "_", "3", "det", "_", "_") +
		word("3", "pain", "pain", "NOUN", "_", "_", "0", "root", "_", "SpaceAfter=No") +
		word("4", ".", ".", "PUNCT", "_", "_", "3", "punct", "_", "_") +
		"\n"
	if err := os.WriteFile(filepath.Join(dir, "fr_test-ud-dev.conllu"), []byte(bank), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, "Set.zip"))
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for _, file := range [][2]string{
		{"Set/docsutf8/1.txt", "one"},
		{"Set/keys/1.key", "a key\nanother\n"},
		{"Set/docsutf8/2.txt", "two"},
		{"Set/keys/2.key", "third"},
		{"Set/docsutf8/3.txt", "without keys"},
		{"Set/lan.txt", "EN"},
	} {
		w, err := z.Create(file[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(file[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := ReadCorpus(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Document{{"Set", "1", "one", []string{"a key", "another"}}}, c.Train); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Document{{"Set", "2", "two", []string{"third"}}}, c.Held); diff != "" {
		t.Error(diff)
	}
	want := map[string][]sentence{"fr": {{"du pain. ", []int{2, 7, 8}, []tag{adposition, noun, other}}}}
	if diff := cmp.Diff(want, c.sentences, cmp.AllowUnexported(sentence{})); diff != "" {
		t.Error(diff)
	}
}

func TestReadCorpus_Refuses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "broken.zip")
	if err := os.WriteFile(path, []byte("no archive"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadCorpus(path); err == nil || !strings.Contains(err.Error(), "broken.zip") {
		t.Errorf("got %v, want an error that names the file", err)
	}
}
