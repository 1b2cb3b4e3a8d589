package keyphrase

import (
	"archive/zip"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/infer/textmodel"
)

// Document is a text with the phrases that people gave it.
type Document struct {
	Set, Name, Text string
	Keys            []string
}

// sentence is a tagged sentence: its text and each word's end and part of speech.
type sentence struct {
	text string
	ends []int
	tags []tag
}

// Corpus is what a folder of training data holds: tagged sentences by language, and English documents with their phrases.
type Corpus struct {
	Train, Held []Document // every second document is held out
	sentences   map[string][]sentence
}

// ReadCorpus reads every treebank (CC_NAME.conllu, of language CC) and every archive of documents (docsutf8/*.txt beside keys/*.key)
// under the paths, in the order of their names.
func ReadCorpus(paths ...string) (*Corpus, error) {
	c := &Corpus{sentences: map[string][]sentence{}}
	err := textmodel.Files(paths, func(path string) error {
		switch filepath.Ext(path) {
		case ".conllu":
			return c.readTreebank(path)
		case ".zip":
			return c.readArchive(path)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// readArchive reads documents and their phrases; those without phrases are left out.
func (c *Corpus) readArchive(path string) error {
	z, err := zip.OpenReader(path)
	if err != nil {
		return err
	}
	defer z.Close()
	texts, keys := map[string]string{}, map[string]string{}
	for _, f := range z.File {
		name := f.Name[strings.LastIndexByte(f.Name, '/')+1:]
		to := texts
		switch {
		case strings.Contains(f.Name, "docsutf8/") && strings.HasSuffix(name, ".txt"):
		case strings.Contains(f.Name, "keys/") && strings.HasSuffix(name, ".key"):
			to = keys
		default:
			continue
		}
		r, err := f.Open()
		if err != nil {
			return err
		}
		raw, err := io.ReadAll(io.LimitReader(r, 4<<20))
		if err != nil {
			return err
		}
		to[strings.TrimSuffix(strings.TrimSuffix(name, ".txt"), ".key")] = string(raw)
	}
	set := strings.TrimSuffix(filepath.Base(path), ".zip")
	var names []string
	for name := range texts {
		if strings.TrimSpace(keys[name]) != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for i, name := range names {
		d := Document{Set: set, Name: name, Text: texts[name]}
		for _, k := range strings.Split(keys[name], "\n") {
			if k = strings.TrimSpace(k); k != "" {
				d.Keys = append(d.Keys, k)
			}
		}
		if i%2 == 0 {
			c.Train = append(c.Train, d)
		} else {
			c.Held = append(c.Held, d)
		}
	}
	return nil
}

// tagOf is a universal part of speech as the tagger knows it.
func tagOf(upos string) tag {
	switch upos {
	case "NOUN":
		return noun
	case "PROPN":
		return name
	case "ADJ":
		return adjective
	case "VERB":
		return verb
	case "AUX":
		return auxiliary
	case "DET":
		return determiner
	case "PRON":
		return pronoun
	case "ADP":
		return adposition
	case "CCONJ", "SCONJ":
		return conjunction
	case "ADV":
		return adverb
	case "NUM":
		return numeral
	case "PART":
		return particle
	}
	return other
}

// readTreebank reads a file in CoNLL-U form. A word that is written as one but is two in the grammar (du, del) gets the first's part.
func (c *Corpus) readTreebank(path string) error {
	language, _, ok := strings.Cut(filepath.Base(path), "_")
	if !ok {
		return nil
	}
	var s sentence
	var text strings.Builder
	skip, joined := 0, -1
	end := func() {
		if s.text = text.String(); len(s.ends) > 0 {
			c.sentences[language] = append(c.sentences[language], s)
		}
		s = sentence{}
		text.Reset()
		skip, joined = 0, -1
	}
	err := textmodel.Lines(path, func(_ int, line string) error {
		if line == "" {
			end()
			return nil
		}
		f := strings.Split(line, "\t")
		if line[0] == '#' || len(f) < 10 || strings.Contains(f[0], ".") {
			return nil
		}
		if from, to, ok := strings.Cut(f[0], "-"); ok {
			var a, b int
			if _, err := fmt.Sscan(from+" "+to, &a, &b); err == nil {
				skip, joined = b-a+1, len(s.tags)
			}
		} else if skip > 0 {
			if joined >= 0 {
				s.tags[joined] = tagOf(f[3])
			}
			joined = -1
			skip--
			return nil
		}
		text.WriteString(f[1])
		s.ends = append(s.ends, text.Len())
		s.tags = append(s.tags, tagOf(f[3]))
		if !strings.Contains(f[9], "SpaceAfter=No") {
			text.WriteByte(' ')
		}
		return nil
	})
	end()
	return err
}
