package keyphrase

import (
	_ "embed"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/benchbar"
)

func loadDefault(t testing.TB) *Extractor {
	t.Helper()
	e, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestLanguages(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff([]string{"en", "de", "es", "fr", "it", "pt", "nl", "ja"}, loadDefault(t).Languages()); diff != "" {
		t.Error(diff)
	}
}

func TestPhrases(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		language, text string
		want           []string // among the answer, in any order
	}{
		{"en", "The food was delicious and there were wonderful staff.", []string{"food", "wonderful staff"}},
		{"en-US", "Microsoft was founded by Bill Gates and Paul Allen.", []string{"Microsoft", "Bill Gates", "Paul Allen"}},
		{"en", "I had a wonderful trip to Seattle last week.", []string{"wonderful trip", "Seattle"}},
		{"en", "We love this trail and make the trip every year. The views are breathtaking and well worth the hike!", []string{"trail", "trip", "views", "hike"}},
		{"en", "Everyone in my family liked the trail. Not necessarily recommended for small children.", []string{"family", "trail", "small children"}},
		{"en", "Microsoft Azure provides cloud services. The service was founded in Redmond.", []string{"Microsoft Azure", "cloud services", "service", "Redmond"}},
		{"en", "Gates' house has a swimming pool\n\twith an underwater music system.", []string{"underwater music system"}},
		{"de", "Die Bundesregierung plant neue Gesetze zur Digitalisierung der Verwaltung.", []string{"Bundesregierung", "Gesetze", "Verwaltung"}},
		{"es", "El restaurante tenía una comida excelente y el personal de servicio fue amable.", []string{"restaurante", "comida excelente", "personal de servicio"}},
		{"fr", "Le Sénat a voté la loi de finances; l'économie française est en croissance.", []string{"Sénat", "loi de finances", "économie française"}},
		{"it", "La commissione europea ha approvato il bilancio della banca centrale.", []string{"commissione europea", "banca centrale"}},
		{"pt-BR", "O banco central do Brasil aumentou a taxa de juros.", []string{"banco central", "taxa de juros"}},
		{"nl", "De Nederlandse regering heeft nieuwe maatregelen tegen de klimaatverandering aangekondigd.", []string{"Nederlandse regering", "klimaatverandering"}},
		{"ja", "東京都の人工知能研究所は、機械学習の新しい手法を発表した。", []string{"人工知能研究所", "機械学習"}},
	} {
		got, err := loadDefault(t).Phrases(c.text, c.language)
		if err != nil {
			t.Errorf("%s: %v", c.language, err)
		}
		for _, w := range c.want {
			if !slices.Contains(got, w) {
				t.Errorf("%s %q: got %q, want %q among them", c.language, c.text, got, w)
			}
		}
	}
}

//go:embed testdata/sensible.tsv
var sensible string

// TestPhrases_Sensible holds real sentences to the phrases that a person would name, and to hardly any that one wouldn't.
func TestPhrases_Sensible(t *testing.T) {
	t.Parallel()
	sentences, said, odd := map[string]int{}, 0, []string{}
	for line := range strings.Lines(sensible) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(f) != 4 {
			continue
		}
		sentences[f[0]]++
		got, err := loadDefault(t).Phrases(f[1], f[0])
		if err != nil {
			t.Fatal(err)
		}
		must, may := strings.Split(f[2], "; "), strings.Split(f[3], "; ")
		for _, w := range must {
			if !slices.Contains(got, w) {
				t.Errorf("%s %q: got %q, want %q among them", f[0], f[1], got, w)
			}
		}
		said += len(got)
		for _, g := range got {
			if !slices.Contains(must, g) && !slices.Contains(may, g) {
				odd = append(odd, g)
			}
		}
	}
	for _, language := range loadDefault(t).Languages() {
		if sentences[language] < 5 {
			t.Errorf("%s: %d sentences, want five at least", language, sentences[language])
		}
	}
	t.Logf("%d phrases, of them odd: %q", said, odd)
	if len(odd)*20 > said {
		t.Errorf("%d of %d phrases are odd, want one of twenty at most: %q", len(odd), said, odd)
	}
}

// TestPhrases_Documented holds a text of several sentences to what a reader would name.
func TestPhrases_Documented(t *testing.T) {
	t.Parallel()
	const text = "Quantum computers promise to solve certain problems faster than classical computers. Error correction remains the main obstacle: " +
		"quantum computers lose information to noise, and error correction needs many physical qubits for each logical qubit."
	got, err := loadDefault(t).Phrases(text, "en")
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []string{"Quantum computers", "Error correction", "physical qubits"} {
		if !slices.Contains(got, w) {
			t.Errorf("got %q, want %q among them", got, w)
		}
	}
	if i := slices.Index(got, "Quantum computers"); i > 2 {
		t.Errorf("got %q: Quantum computers is number %d, want it among the first three", got, i+1)
	}
	seen := map[string]bool{}
	for _, p := range got {
		if k := Normalize(p); seen[k] {
			t.Errorf("got %q: %q twice", got, p)
		} else {
			seen[k] = true
		}
	}
}

func TestPhrases_GrowWithTheText(t *testing.T) {
	t.Parallel()
	const sentence = "The harbour authority of Rotterdam measures tidal currents, container traffic, crane failures and diesel emissions at every terminal. "
	short, err := loadDefault(t).Phrases("The harbour authority measures tidal currents.", "en")
	if err != nil {
		t.Fatal(err)
	}
	long, err := loadDefault(t).Phrases(sentence+strings.ReplaceAll(sentence, "harbour", "airport")+strings.ReplaceAll(sentence, "tidal", "wind"), "en")
	if err != nil {
		t.Fatal(err)
	}
	if len(short) == 0 || len(short) > 5 || len(long) <= len(short) {
		t.Errorf("got %q of a short text and %q of a long one", short, long)
	}
}

func TestPhrases_UnknownLanguage(t *testing.T) {
	t.Parallel()
	for _, language := range []string{"", "xx", "ko", "english"} {
		if _, err := loadDefault(t).Phrases("hello", language); !errors.Is(err, ErrLanguage) {
			t.Errorf("%q: got %v, want ErrLanguage", language, err)
		}
	}
}

func TestPhrases_Nothing(t *testing.T) {
	t.Parallel()
	for language, particles := range map[string]string{"en": "and or of the", "ja": "そして、または"} {
		for _, text := range []string{"", " \n", "!!! 12 34", particles} {
			if got, err := loadDefault(t).Phrases(text, language); err != nil || len(got) != 0 {
				t.Errorf("%s %q: got %q, %v; want nothing", language, text, got, err)
			}
		}
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		language int
		text     string
		want     []string
	}{
		{0, "The dog's U.S. three-player game (v2.1).", []string{"The", "dog", "'s", "U.S", ".", "three-player", "game", "(", "v2.1", ")", "."}},
		{0, "end.Next one", []string{"end", "Next", "one"}},
		{3, "L'économie aujourd’hui", []string{"L'", "économie", "aujourd’", "hui"}},
		{1, "Straßen-Bahn", []string{"Straßen-Bahn"}},
	} {
		x, l := new(scratch), tongues()[c.language]
		x.tokenize(c.text, &l)
		var got []string
		for _, k := range x.tokens {
			if s := c.text[k.start:k.end]; k.word || s != "." || c.text != "end.Next one" {
				got = append(got, s)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%q: %s", c.text, diff)
		}
	}
}

func FuzzPhrases(f *testing.F) {
	for _, s := range []string{"", "A dog's life - and so on...", "l'amour\n\tde la vie", "東京都の研究所", "\xff\xfe a b", "a.b.c-d'e 1st", "e\u0301\u200d x"} {
		for i := range byte(8) {
			f.Add(s, i)
		}
	}
	e, err := Default()
	if err != nil {
		f.Fatal(err)
	}
	languages := e.Languages()
	if _, err := kagome(); err != nil { // its dictionary takes longer than an input may
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string, language byte) {
		got, err := e.Phrases(text, languages[int(language)%len(languages)])
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range got {
			if p == "" || utf8.ValidString(text) && !utf8.ValidString(p) {
				t.Fatalf("phrase %q of %q", p, text)
			}
		}
	})
}

const abstract = `Cooperative three- and four-player quantum games
A cooperative multi-player quantum game played by 3 and 4 players is described. A quantum superposed operator is put forward that takes the
	non-zero sum difficulty of earlier treatments away. What the quantum entanglement of the initial state does is told in detail, with the noise
	of the measurement and the energy of the operator compared over many games of the same players.`

func BenchmarkPhrases(b *testing.B) {
	e := loadDefault(b)
	bar := benchbar.Start(b)
	for b.Loop() {
		if _, err := e.Phrases(abstract, "en"); err != nil {
			b.Fatal(err)
		}
	}
	bar.Allocs(30) // the answer and its strings, and what sorting takes
}
