package lang

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/benchbar"
	"github.com/bulkheadhq/bulkhead/internal/infer/fasttext"
)

func shippedModel(t testing.TB) *Detector {
	t.Helper()
	d, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDefault(t *testing.T) {
	if len(shipped) > 4_000_000 {
		t.Errorf("the model has %d bytes; want at most 4,000,000", len(shipped))
	}
	d := shippedModel(t)
	known := d.Languages()
	if len(known) < 120 {
		t.Errorf("%d languages; want at least 120", len(known))
	}
	for _, iso := range known {
		if names[iso] == "" {
			t.Errorf("%s has no name", iso)
		}
	}
	for country, in := range countries {
		for _, iso := range in {
			if names[iso] == "" {
				t.Errorf("country %s: unknown language %s", country, iso)
			}
		}
	}
}

// TestDetect has the samples of Azure's documentation among ordinary sentences.
func TestDetect(t *testing.T) {
	d := shippedModel(t)
	for _, c := range []struct {
		text, hint, name, iso string
		least, most           float64
	}{
		{"This is a document written in English.", "US", "English", "en", 0.4, 1},
		{"Este es un documento escrito en español.", "US", "Spanish", "es", 0.8, 1},
		{"Este es un document escrito en Español.", "US", "Spanish", "es", 0.8, 1},
		{"Dies ist ein Dokument in deutscher Sprache.", "US", "German", "de", 0.9, 1},
		{"Bonjour tout le monde", "US", "French", "fr", 0.6, 1},
		{"Bonjour tout le monde", "", "French", "fr", 0.7, 1},
		{"各金融机构都磨刀霍霍准备在逐渐起飞的财富管理业务", "", "Chinese_Simplified", "zh_chs", 0.5, 1}, // Japanese of that length has kana
		{"Hello world", "US", "English", "en", 0.8, 1},
		{"How are you?", "US", "English", "en", 0.9, 1},
		{"这是一个用中文写的文件", "US", "Chinese_Simplified", "zh_chs", 0.8, 1},
		{"這是一個用中文寫的文件", "US", "Chinese_Traditional", "zh_cht", 0.8, 1},
		{"人口", "", "Chinese", "zh", 0.2, 1},
		{"impossible", "US", "English", "en", 0.2, 1},
		{"impossible", "fr", "French", "fr", 0.2, 1},
		{"12345 67 - 8:90 !!", "US", "(Unknown)", "", 0, 0},
		{"", "", "(Unknown)", "", 0, 0},
		{"ᬅᬓ᭄ᬱᬭᬩᬮᬶ", "", "(Unknown)", "", 0, 0}, // a script of no language known
		{":) :( 👍🏽", "", "(Unknown)", "", 0, 0},
		{"La carretera estaba atascada. Había mucho tráfico el día de ayer.", "", "Spanish", "es", 0.4, 1},
		{"Die Straße war gestern den ganzen Tag gesperrt.", "", "German", "de", 0.9, 1},
		{"Il fait très beau aujourd'hui, nous allons nous promener au bord de la mer.", "", "French", "fr", 0.8, 1},
		{"Сегодня очень хорошая погода, мы пойдём гулять к морю.", "", "Russian", "ru", 0.8, 1},
		{"Сьогодні дуже гарна погода, ми підемо гуляти до моря.", "", "Ukrainian", "uk", 0.8, 1},
		{"Σήμερα ο καιρός είναι πολύ καλός.", "", "Greek", "el", 0.9, 1},
		{"今日はとても良い天気です。", "", "Japanese", "ja", 0.9, 1},
		{"오늘 날씨가 아주 좋습니다.", "", "Korean", "ko", 0.9, 1},
		{"วันนี้อากาศดีมาก", "", "Thai", "th", 0.9, 1},
		{"აქ ამინდი კარგია", "", "Georgian", "ka", 0.9, 1},
		{"Vandaag is het erg mooi weer en wij gaan naar het strand.", "", "Dutch", "nl", 0.5, 1},
		{"Hôm nay trời rất đẹp, chúng tôi đi dạo bên bờ biển.", "", "Vietnamese", "vi", 0.9, 1},
		// In two languages: that of the greater part, with a lower score.
		{"Hello, I would like to take a class at your University. ¿Se ofrecen clases en español? Es mi primera lengua y más fácil para escribir. ¿Qué tal inglés?", "US", "Spanish", "es", 0.4, 0.95},
	} {
		got := d.Detect(c.text, c.hint)
		if got.Name != c.name || got.ISO != c.iso || got.Score < c.least || got.Score > c.most {
			t.Errorf("%q with hint %q: %+v; want %s (%s) with %g to %g", c.text, c.hint, got, c.name, c.iso, c.least, c.most)
		}
	}
}

// TestDetect_HintFades: a hint doesn't turn a text that is long enough to tell.
func TestDetect_HintFades(t *testing.T) {
	d := shippedModel(t)
	text := "Die Straße war gestern den ganzen Tag gesperrt, weil es geschneit hatte."
	if with, without := d.Detect(text, "FR"), d.Detect(text, ""); with != without || with.ISO != "de" {
		t.Errorf("%+v with the hint FR, %+v without", with, without)
	}
	if got := d.Detect("impossible", "zz"); got.ISO == "" {
		t.Errorf("an unknown country: %+v", got)
	}
}

func TestDetect_Concurrent(t *testing.T) {
	d := shippedModel(t)
	want := d.Detect("Vandaag is het erg mooi weer", "")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				d.Detect("something else altogether, and longer", "US")
				if got := d.Detect("Vandaag is het erg mooi weer", ""); got != want {
					t.Errorf("%+v; want %+v", got, want)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestNormalise(t *testing.T) {
	for in, want := range map[string]string{
		"Hello, World 42!":   "hello world",
		"  It's  o'clock ' ": "it's o'clock",
		"STRASSE Ärger ÉTÉ":  "strasse ärger été",
		"ПРИВЕТ, мир":        "привет мир",
		"हिन्दी में":         "हिन्दी में",
		"İstanbul":           "istanbul",
		"l’été":              "l'été",
		"123 456":            "",
		"\xff\xfe":           "",
		"漢字、かな":              "漢字 かな",
	} {
		if got := string(Normalise(nil, in, nil)); got != want {
			t.Errorf("%q: %q; want %q", in, got, want)
		}
	}
}

func TestScripts(t *testing.T) {
	for text, want := range map[string]Script{
		"abc": Latin, "абв": Cyrillic, "αβγ": Greek, "שלום": Hebrew, "مرحبا": Arabic, "漢字": Han, "漢字かな": Kana, "カナ": Kana, "한국어": Hangul, "ไทย": Thai, "አማርኛ": Ethiopic, "ᐃᓄᒃ": Canadian,
		"abc абвг": Cyrillic,
	} {
		var c Counts
		Normalise(nil, text, &c)
		if got, _ := c.most(); got != want {
			t.Errorf("%q: %s; want %s", text, got, want)
		}
	}
}

func corpus() *Corpus {
	c := &Corpus{}
	c.Add("xx", "a", []string{"abcde abde", "bcdea aebcd", "aaa bbb ccc", "abba ecce", "dada eba"})
	c.Add("xx", "words", []string{"cab", "bad", "dab", "ebb"})
	c.Add("yy", "a", []string{"fghij hijf", "ghi fgh jih", "hhh jjj", "figh jigh"})
	c.Add("yy", "words", []string{"fig", "jig", "high"})
	c.Add("gr", "a", []string{"αβγ δεζ", "ζεδ αγβ", "αα ββ"})
	return c
}

func TestTrain(t *testing.T) {
	o := Options{Options: fasttext.Defaults(), PerLanguage: 200, Lists: map[string]bool{"words": true}}
	o.Dim, o.Bucket, o.Steps, o.Keep, o.Retrain, o.MinCount = 8, 1<<12, 5000, 300, 500, 1
	var files [2]bytes.Buffer
	for i := range files {
		m, err := Train(corpus(), o)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Write(&files[i]); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(files[0].Bytes(), files[1].Bytes()) {
		t.Error("the same corpus and options gave two models")
	}
	d, err := Read(&files[0])
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{"abc dea": "xx", "fghij": "yy", "αβγ": "gr", "жук": ""} {
		if got := d.Detect(text, ""); got.ISO != want {
			t.Errorf("%q: %+v; want %q", text, got, want)
		}
	}
	x := Measurer{Detect: func(s string) (string, float64) { r := d.Detect(s, ""); return r.ISO, r.Score }}
	x.Add("xx", []string{"abc dea", "fghij"})
	x.Add("yy", []string{"fghij"})
	if m := x.Result(); m.Macro != 0.75 || m.Languages[0].Wrong["yy"] != 1 || m.ECE <= 0 || m.ECE > 0.5 {
		t.Errorf("measured %+v", m)
	}
	if _, err := Train(&Corpus{}, o); !errors.Is(err, ErrCorpus) {
		t.Errorf("no texts: %v", err)
	}
}

func TestRead_Refused(t *testing.T) {
	for name, file := range map[string][]byte{
		"empty": nil, "foreign": []byte("hello"), "cut": []byte(shipped[:len(shipped)/2]), "no description": []byte(head), "description": []byte(head + "{]\n"),
		"scales": []byte(head + `{"scale":[1]}` + "\n"), "long description": []byte(head + strings.Repeat("x", maxDescription+1)),
	} {
		if _, err := Read(bytes.NewReader(file)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzDetect(f *testing.F) {
	d := shippedModel(f)
	for _, s := range []string{"hello", "這是", "¿Qué tal?", "\xff\xfe漢", "ß’ʼ\u200d\u0307", strings.Repeat("a. ", 200)} {
		f.Add(s, "US")
	}
	f.Fuzz(func(t *testing.T, text, hint string) {
		r := d.Detect(text, hint)
		if r.Score < 0 || r.Score > 1 || r.Score != r.Score || r.Name == "" || (r.ISO == "") != (r.Name == unknownName) {
			t.Fatalf("%q: %+v", text, r)
		}
	})
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(head + "{}\n"))
	f.Add([]byte(shipped[:min(len(shipped), 5000)]))
	f.Fuzz(func(t *testing.T, file []byte) {
		if d, err := Read(bytes.NewReader(file)); err == nil {
			d.Detect("hello", "")
		}
	})
}

const sentence = "The committee said on Tuesday that it would look at all of the proposals again before the end of the year, and then decide about them."

func TestDetect_Allocations(t *testing.T) {
	d := shippedModel(t)
	w := newWork(d.model)
	d.detect(w, sentence, "US")
	if n := testing.AllocsPerRun(200, func() { d.detect(w, sentence, "US"); d.detect(w, "impossible", "fr") }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

func BenchmarkDetect(b *testing.B) {
	d := shippedModel(b)
	d.Detect(sentence, "US")
	bar := benchbar.Start(b)
	for b.Loop() {
		d.Detect(sentence, "US")
	}
	bar.Allocs(1)
}
