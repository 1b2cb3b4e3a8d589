package text

import "testing"

// TestUnits counts what people take for one character by each of the three ways.
func TestUnits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text               string
		elements, points, utf16s int
	}{
		{"letters", "abc", 3, 3, 3},
		{"a line's end", "a\r\nb", 3, 4, 4},
		{"a combining accent", "e\u0301", 1, 2, 2},
		{"Arabic with vowels", "\u0645\u064e\u0631\u0652\u062d\u064e\u0628\u064b\u0627", 5, 9, 9},
		{"Hangul in its parts", "\u1100\u1161\u11a8", 1, 3, 3},
		{"an emoji with a skin", "\U0001f44d\U0001f3fd", 1, 2, 4},
		{"a flag", "\U0001f1e9\U0001f1ea", 1, 2, 4},
		{"a family", "\U0001f469\u200d\U0001f469\u200d\U0001f467", 1, 5, 8},
		{"nothing", "", 0, 0, 0},
	} {
		for index, want := range map[string]int{"": c.elements, "TextElements_v8": c.elements, "UnicodeCodePoint": c.points, "utf16codeunit": c.utf16s} {
			u, ok := unitOf(index)
			if !ok {
				t.Fatalf("there is no stringIndexType %q", index)
			}
			if got := u(c.text); got != want {
				t.Errorf("%s by %q: %d, want %d", c.name, index, got, want)
			}
		}
	}
	if _, ok := unitOf("Bytes"); ok {
		t.Error("there is a stringIndexType Bytes")
	}
}
