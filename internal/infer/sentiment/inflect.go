package sentiment

import "strings"

// Inflected adds the other forms of the entries' words, after them: lexicons give adjectives in one gender and number only. A form that
// isn't one of the language does no harm, since nobody writes it.
func Inflected(entries []Entry) []Entry {
	known := make(map[Entry]bool, len(entries))
	for _, e := range entries {
		known[Entry{Language: e.Language, Word: e.Word}] = true
	}
	out := entries
	for _, e := range entries {
		for _, w := range forms(e.Language, e.Word) {
			k := Entry{Language: e.Language, Word: w}
			if w != e.Word && !known[k] {
				known[k] = true
				out = append(out, Entry{e.Language, w, e.Polarity * 0.9})
			}
		}
	}
	return out
}

// forms are a word's likely other forms.
func forms(language, w string) []string {
	if len(w) < 4 {
		return nil
	}
	last, stem := w[len(w)-1], w[:len(w)-1]
	with := func(base string, endings string) []string {
		out := strings.Fields(endings)
		for i := range out {
			out[i] = base + out[i]
		}
		return out
	}
	switch language {
	case "es", "pt":
		switch last {
		case 'o':
			return with(stem, "a os as ísimo ísima")
		case 'e', 'a':
			return []string{w + "s"}
		case 'r':
			return []string{w + "me", w + "te", stem + "ndo", stem + "do", stem + "n", stem}
		}
	case "it":
		switch last {
		case 'o':
			return with(stem, "a i e issimo issima")
		case 'e':
			return with(stem, "i")
		}
	case "fr":
		switch last {
		case 'r':
			if strings.HasSuffix(w, "er") {
				return with(w[:len(w)-2], "e es ent é ée és ées ait")
			}
		case 's', 'x':
		default:
			return with(w, "s e es")
		}
	case "de":
		switch {
		case strings.HasSuffix(w, "en"):
			return with(w[:len(w)-2], "e t st te")
		case last == 'e':
			return with(stem, "en er es em")
		default:
			return with(w, "e en er es em")
		}
	}
	return nil
}
