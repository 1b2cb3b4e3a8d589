package lang

import (
	"sync"
	"unicode/utf8"
)

// chinese maps a character to +1 where only simplified, -1 where only traditional texts have it.
var chinese = sync.OnceValue(func() map[rune]int8 {
	m := make(map[rune]int8, 5000)
	for _, r := range simplified {
		m[r] = 1
	}
	for _, r := range traditional {
		m[r] = -1
	}
	return m
})

// chineseISO returns zh_chs or zh_cht, or zh where no character, or as many of one as of the other, tells.
func chineseISO(text string) string {
	table := chinese()
	balance := 0
	for _, r := range text {
		if r >= utf8.RuneSelf {
			balance += int(table[r])
		}
	}
	switch {
	case balance > 0:
		return "zh_chs"
	case balance < 0:
		return "zh_cht"
	}
	return "zh"
}
