package ocr

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// box is a rectangle in pixels of what was read.
type box struct{ left, top, width, height int }

type tsvWord struct {
	box
	text       string
	confidence float64 // 0 to 100
}

type tsvLine struct {
	box
	words []tsvWord
}

var errTSV = errors.New("tesseract printed something that is no table of its")

// parseTSV reads Tesseract's table: a row for each page, block, paragraph, line and word, of level, five counters, left, top, width, height,
// confidence and text. Lines without words are left out.
func parseTSV(out []byte) ([]tsvLine, error) {
	var lines []tsvLine
	head, rest, ok := strings.Cut(string(out), "\n")
	if !ok || !strings.HasPrefix(head, "level\t") {
		return nil, errTSV
	}
	for row := range strings.Lines(rest) {
		f := strings.SplitN(strings.TrimRight(row, "\r\n"), "\t", 12)
		if len(f) < 11 {
			return nil, errTSV
		}
		if f[0] != "4" && f[0] != "5" {
			continue
		}
		var n [4]int
		for i := range n {
			v, err := strconv.Atoi(f[6+i])
			if err != nil || v < 0 || v > 1<<20 {
				return nil, errTSV
			}
			n[i] = v
		}
		at := box{n[0], n[1], n[2], n[3]}
		if f[0] == "4" {
			lines = append(lines, tsvLine{box: at})
			continue
		}
		confidence, err := strconv.ParseFloat(f[10], 64)
		if err != nil || len(f) < 12 || len(lines) == 0 || !(confidence >= -1 && confidence <= 100) || !utf8.ValidString(f[11]) {
			return nil, errTSV
		}
		if text := strings.TrimSpace(f[11]); text != "" {
			last := &lines[len(lines)-1]
			last.words = append(last.words, tsvWord{at, text, max(confidence, 0)})
		}
	}
	kept := lines[:0]
	for _, l := range lines {
		if len(l.words) > 0 {
			kept = append(kept, l)
		}
	}
	return kept, nil
}
