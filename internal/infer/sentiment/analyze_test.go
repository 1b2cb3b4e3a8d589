package sentiment

import (
	"errors"
	"math"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/benchbar"
)

func loadDefault(t testing.TB) *Model {
	t.Helper()
	m, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestLanguages(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff([]string{"en", "de", "es", "fr", "it", "pt", "ja", "zh"}, loadDefault(t).Languages()); diff != "" {
		t.Error(diff)
	}
}

func TestAnalyze_Labels(t *testing.T) {
	t.Parallel()
	m := loadDefault(t)
	for _, c := range []struct{ language, text, want string }{
		{"en", "The food was delicious and there were wonderful staff.", Positive},
		{"en", "I had a terrible experience and the room was dirty.", Negative},
		{"en", "This is not good.", Negative},
		{"en-GB", "What a lovely day, thank you so much!", Positive},
		{"de", "Das Essen war wunderbar und das Personal sehr freundlich.", Positive},
		{"de", "Ich hasse diesen schrecklichen Service.", Negative},
		{"es", "La comida estaba deliciosa y me encantó el servicio.", Positive},
		{"es", "Qué asco de servicio, el peor de mi vida.", Negative},
		{"fr", "C'est magnifique, j'adore cette merveilleuse équipe.", Positive},
		{"fr", "Le service était horrible, une honte.", Negative},
		{"it", "Che bello, è stata una giornata meravigliosa!", Positive},
		{"it", "Che schifo, un servizio pessimo e orribile.", Negative},
		{"pt-BR", "Adorei, que maravilha de atendimento!", Positive},
		{"pt", "Que vergonha, um atendimento horrível, estou muito triste.", Negative},
		{"ja", "とても使いやすくて、大満足です。買って良かったです。", Positive},
		{"ja", "すぐに壊れました。最悪です。返品したいです。", Negative},
		{"zh_chs", "房间很干净，服务非常好，下次还会来。", Positive},
		{"en", "The meeting takes place on Tuesday in room 12.", Neutral},
		{"de", "Die Sitzung findet am Dienstag in Raum 12 statt.", Neutral},
		{"es", "La reunión se celebra el martes en la sala 12.", Neutral},
		{"fr", "La réunion a lieu mardi dans la salle 12.", Neutral},
		{"it", "La riunione si tiene martedì nella sala 12.", Neutral},
		{"pt", "A reunião acontece na terça-feira na sala 12.", Neutral},
		{"ja", "会議は火曜日に十二号室で行われる。", Neutral},
		{"zh", "会议于星期二在十二号房间举行。", Neutral},
		{"zh-Hans", "质量太差了，非常失望，再也不买了。", Negative},
	} {
		doc, err := m.Analyze(c.text, c.language)
		if err != nil {
			t.Fatal(err)
		}
		if c.want == Neutral { // by what v2 calls neither
			if doc.Score < 0.3 || doc.Score > 0.7 {
				t.Errorf("%s %q: v2 score %.2f of a neutral text, %+v", c.language, c.text, doc.Score, doc.Scores)
			}
			continue
		}
		if doc.Label != c.want {
			t.Errorf("%s %q: got %s %+v, want %s", c.language, c.text, doc.Label, doc.Scores, c.want)
		}
		if (doc.Score > 0.5) != (c.want == Positive) {
			t.Errorf("%s %q: v2 score %.2f of a %s text", c.language, c.text, doc.Score, c.want)
		}
	}
}

func TestAnalyze_Mixed(t *testing.T) {
	t.Parallel()
	doc, err := loadDefault(t).Analyze("The food was excellent and delicious. The service was terrible and rude.", "en")
	if err != nil {
		t.Fatal(err)
	}
	if doc.Label != Mixed || len(doc.Sentences) != 2 || doc.Sentences[0].Scores.Label() != Positive || doc.Sentences[1].Scores.Label() != Negative {
		t.Errorf("got %+v, want mixed of a positive and a negative sentence", doc)
	}
}

func TestAnalyze_UnknownLanguage(t *testing.T) {
	t.Parallel()
	for _, language := range []string{"", "sv", "xx", "english"} {
		if _, err := loadDefault(t).Analyze("hello", language); !errors.Is(err, ErrLanguage) {
			t.Errorf("%q: got %v, want ErrLanguage", language, err)
		}
	}
}

func TestAnalyze_NothingToJudge(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", " \n\t "} {
		doc, err := loadDefault(t).Analyze(text, "en")
		if err != nil || doc.Label != Neutral || doc.Score != 0.5 || len(doc.Sentences) != 0 {
			t.Errorf("%q: got %+v, %v; want neutral, 0.5 and no sentence", text, doc, err)
		}
	}
}

func TestSentences(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		want []string
	}{
		{"One. Two! Three?", []string{"One.", "Two!", "Three?"}},
		{"Dr. Smith paid 3.50 for it. He left.", []string{"Dr. Smith paid 3.50 for it.", "He left."}},
		{"J. R. Tolkien wrote. \"Really?\" she said.", []string{"J. R. Tolkien wrote.", "\"Really?\"", "she said."}},
		{"Wait... what?! No", []string{"Wait...", "what?!", "No"}},
		{"今日は良い。明日は悪い！", []string{"今日は良い。", "明日は悪い！"}},
		{"first line\nsecond line\n", []string{"first line", "second line"}},
		{"  padded.  ", []string{"padded."}},
		{"see e.g. this one.", []string{"see e.g. this one."}},
	} {
		var got []string
		for at := 0; at < len(c.text); {
			start, end := sentenceAt(c.text, at)
			if at = end; start < end {
				got = append(got, c.text[start:end])
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%q: %s", c.text, diff)
		}
	}
}

func TestTokens_SplitOrNot(t *testing.T) {
	t.Parallel()
	m := loadDefault(t)
	list := func(text string) (out []string) {
		x := new(scratch)
		x.tokenize(text, &m.tongues[0].tongue)
		for _, k := range x.tokens {
			out = append(out, string(x.buf[k.start:k.end]))
		}
		return out
	}
	for split, whole := range map[string]string{
		"it 's great , i do n't mind": "It's GREAT, I don’t mind",
		"wo n't":                      "won't",
		"soo good !!":                 "sooooooo good!!!!!",
	} {
		if diff := cmp.Diff(list(split), list(whole)); diff != "" {
			t.Errorf("%q and %q differ: %s", split, whole, diff)
		}
	}
	if diff := cmp.Diff([]string{"@user", "look", "http", ":glad:", "❤", "topic"}, list("@Bob look https://x.example/a :-) ❤️ #Topic")); diff != "" {
		t.Error(diff)
	}
}

func FuzzAnalyze(f *testing.F) {
	for _, s := range []string{"", "a", "It's :-) <3 !!! ...", "好。坏！", "l'amour\n\n", "\xff\xfe", "@ # http", "e\u0301\u200d❤️"} {
		for i := range byte(8) {
			f.Add(s, i)
		}
	}
	m, err := Default()
	if err != nil {
		f.Fatal(err)
	}
	languages := m.Languages()
	f.Fuzz(func(t *testing.T, text string, lang byte) {
		doc, err := m.Analyze(text, languages[int(lang)%len(languages)])
		if err != nil {
			t.Fatal(err)
		}
		sum := doc.Scores.Positive + doc.Scores.Neutral + doc.Scores.Negative
		if math.Abs(sum-1) > 1e-9 || doc.Score < 0 || doc.Score > 1 || math.IsNaN(doc.Score) {
			t.Fatalf("scores %+v sum to %v, v2 %v", doc.Scores, sum, doc.Score)
		}
		at := 0
		for _, s := range doc.Sentences {
			if s.Start < at || s.End <= s.Start || s.End > len(text) {
				t.Fatalf("sentence %d..%d after %d of %d bytes", s.Start, s.End, at, len(text))
			}
			if utf8.ValidString(text) && !utf8.ValidString(text[s.Start:s.End]) {
				t.Fatalf("sentence %d..%d cuts a character", s.Start, s.End)
			}
			at = s.End
		}
	})
}

func BenchmarkAnalyze(b *testing.B) {
	m := loadDefault(b)
	const text = "The movie was surprisingly good , but it 's hard to recommend to anyone who does n't love slow and talky dramas ."
	bar := benchbar.Start(b)
	for b.Loop() {
		if _, err := m.Analyze(text, "en"); err != nil {
			b.Fatal(err)
		}
	}
	bar.Allocs(2) // the sentences; a buffer grows now and then
}
