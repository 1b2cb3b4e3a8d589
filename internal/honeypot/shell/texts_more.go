package shell

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

func xargs(p *program) int {
	args := p.args[1:]
	replace, most := "", 1000
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		switch a := args[0]; {
		case a == "-I" && len(args) > 1:
			replace, args = args[1], args[1:]
		case strings.HasPrefix(a, "-I"):
			replace = a[2:]
		case (a == "-n" || a == "-P" || a == "-L" || a == "-d") && len(args) > 1:
			if a == "-n" {
				most = max(int(numberOf(args[1])), 1)
			}
			args = args[1:]
		case strings.HasPrefix(a, "-n") && len(a) > 2:
			most = max(int(numberOf(a[2:])), 1)
		}
		args = args[1:]
	}
	if len(args) == 0 {
		args = []string{"echo"}
	}
	in := string(p.readAll())
	if replace != "" {
		status := 0
		for _, l := range lines([]byte(in)) {
			one := make([]string, len(args))
			for i, a := range args {
				one[i] = cut(strings.ReplaceAll(a, replace, strings.TrimSpace(l)), maxValue)
			}
			status |= p.again(one, strings.NewReader(""))
		}
		return status
	}
	items := strings.FieldsFunc(in, func(c rune) bool { return unicode.IsSpace(c) || c == 0 })
	status := 0
	for first := true; first || len(items) > 0; first = false {
		n := min(len(items), most)
		if status |= p.again(append(slices.Clone(args), items[:n]...), strings.NewReader("")); p.stop != nil {
			break
		}
		items = items[n:]
	}
	return status
}

func base64Program(p *program) int {
	o := p.parse("w", "wrap")
	in, status := p.inputs(o.rest)
	for _, f := range in {
		if o.is("d", "D", "decode") {
			clean := strings.Map(func(r rune) rune {
				if unicode.IsSpace(r) {
					return -1
				}
				return r
			}, string(f.data))
			b, err := base64.StdEncoding.DecodeString(clean)
			if err != nil {
				b, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(clean, "="))
			}
			p.write(b)
			if err != nil {
				return p.fail("invalid input")
			}
			continue
		}
		width := 76
		if o.is("w", "wrap") {
			width = int(numberOf(o.value("w", "wrap")))
		}
		text := base64.StdEncoding.EncodeToString(f.data)
		if width <= 0 {
			p.write([]byte(text))
			continue
		}
		for len(text) > 0 {
			n := min(width, len(text))
			p.line(text[:n])
			text = text[n:]
		}
	}
	return status
}

func sums(make func() hash.Hash) command {
	return func(p *program) int {
		in, status := p.inputs(p.parse("").rest)
		for _, f := range in {
			h := make()
			h.Write(f.data)
			p.print("%s  %s\n", hex.EncodeToString(h.Sum(nil)), f.name)
		}
		return status
	}
}

func rev(p *program) int {
	in, status := p.inputs(p.parse("").rest)
	for _, f := range in {
		for _, l := range lines(f.data) {
			r := []rune(l)
			slices.Reverse(r)
			p.line(string(r))
		}
	}
	return status
}

func seq(p *program) int {
	o := p.parse("sf")
	from, by, to := int64(1), int64(1), int64(0)
	switch len(o.rest) {
	case 1:
		to = numberOf(o.rest[0])
	case 2:
		from, to = numberOf(o.rest[0]), numberOf(o.rest[1])
	case 3:
		from, by, to = numberOf(o.rest[0]), numberOf(o.rest[1]), numberOf(o.rest[2])
	default:
		return p.fail("missing operand")
	}
	if by == 0 {
		return p.fail("invalid Zero increment value: ‘0’")
	}
	for i, n := from, 0; (by > 0 && i <= to || by < 0 && i >= to) && n < 100_000; i, n = i+by, n+1 {
		if !p.line(strconv.FormatInt(i, 10)) {
			return 1
		}
	}
	return 0
}

func yes(p *program) int {
	word := "y"
	if len(p.args) > 1 {
		word = cut(strings.Join(p.args[1:], " "), 1024)
	}
	for range 1 << 20 {
		if !p.line(word) {
			return 1
		}
	}
	return 0
}

func stringsProgram(p *program) int {
	in, status := p.inputs(p.parse("n").rest)
	for _, f := range in {
		for _, word := range bytes.FieldsFunc(f.data, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
			if len(word) >= 4 {
				p.line(string(word))
			}
		}
	}
	return status
}

func od(p *program) int {
	in, status := p.inputs(p.parse("AtNnv").rest)
	for _, f := range in {
		for i := 0; i < len(f.data); i += 16 {
			if !p.line(fmt.Sprintf("%07x % x", i, f.data[i:min(i+16, len(f.data))])) {
				return status
			}
		}
		p.print("%07x\n", len(f.data))
	}
	return status
}

func expr(p *program) int {
	a := p.args[1:]
	if len(a) == 2 && a[0] == "length" {
		p.print("%d\n", len(a[1]))
		return 0
	}
	if len(a) == 1 {
		p.line(a[0])
		return 0
	}
	if len(a) != 3 {
		p.fail("syntax error")
		return 2
	}
	x, y := numberOf(a[0]), numberOf(a[2])
	truth := map[bool]int64{true: 1}
	var r int64
	switch a[1] {
	case "+":
		r = x + y
	case "-":
		r = x - y
	case "*":
		r = x * y
	case "/", "%":
		if y == 0 {
			p.fail("division by zero")
			return 2
		}
		if r = x / y; a[1] == "%" {
			r = x % y
		}
	case "=":
		r = truth[a[0] == a[2]]
	case "!=":
		r = truth[a[0] != a[2]]
	case "<":
		r = truth[x < y]
	case ">":
		r = truth[x > y]
	default:
		p.fail("syntax error")
		return 2
	}
	p.print("%d\n", r)
	return int(truth[r == 0])
}
