package shell

import (
	"bytes"
	"crypto/md5"  //nolint:gosec // md5sum
	"crypto/sha1" //nolint:gosec // sha1sum
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

func textPrograms() map[string]command {
	return map[string]command{
		"cat": cat, "tac": tac, "head": head, "tail": tail, "grep": grep, "egrep": grep, "fgrep": grep, "zgrep": grep, "sort": sortLines, "uniq": uniq, "wc": wc, "cut": cutFields, "tr": tr, "sed": sed,
		"awk": awk, "gawk": awk, "mawk": awk, "tee": tee, "xargs": xargs, "base64": base64Program, "md5sum": sums(md5.New), "sha1sum": sums(sha1.New), "sha256sum": sums(sha256.New), "sha512sum": sums(sha512.New),
		"rev": rev, "seq": seq, "yes": yes, "strings": stringsProgram, "od": od, "hexdump": od, "nl": nl, "more": cat, "less": cat, "expr": expr, "column": cat, "dos2unix": func(*program) int { return 0 },
	}
}

func cat(p *program) int {
	o := p.parse("")
	if len(o.rest) == 0 {
		o.rest = []string{"-"}
	}
	status, n := 0, 0
	for _, f := range o.rest {
		if f == "-" {
			_, _ = io.Copy(p.io.out, io.LimitReader(p.io.in, maxUnpacked))
			continue
		}
		b, err := p.cfg.FS.Read(p.user(), p.abs(f), maxPipe)
		if err != nil {
			status = p.fail("%s: %s", printable(f), err)
			continue
		}
		if o.is("n", "b") {
			for _, l := range lines(b) {
				n++
				p.print("%6d\t%s\n", n, l)
			}
		} else if !p.write(b) {
			return 1
		}
	}
	return status
}

func tac(p *program) int {
	in, status := p.inputs(p.parse("").rest)
	for _, f := range in {
		all := lines(f.data)
		for i := len(all) - 1; i >= 0; i-- {
			p.line(all[i])
		}
	}
	return status
}

func nl(p *program) int {
	in, status := p.inputs(p.parse("b").rest)
	n := 0
	for _, f := range in {
		for _, l := range lines(f.data) {
			n++
			p.print("%6d\t%s\n", n, l)
		}
	}
	return status
}

// count is the number of lines or bytes that head and tail are asked for.
func count(o options) (n int, bytes, fromStart, allBut bool) {
	n = 10
	v, ok := o.has["n"]
	if w, long := o.has["lines"]; long {
		v, ok = w, true
	}
	if w, short := o.has["#"]; short {
		v, ok = w, true
	}
	if w, c := o.has["c"]; c {
		v, ok, bytes = w, true, true
	}
	if ok {
		fromStart, allBut = strings.HasPrefix(v, "+"), strings.HasPrefix(v, "-")
		n = int(min(max(sizeOf(strings.TrimLeft(v, "+-"), 0), 0), 1<<30))
		if strings.TrimLeft(v, "+-") == "0" {
			n = 0
		}
	}
	return n, bytes, fromStart, allBut
}

func head(p *program) int {
	o := p.parse("nc", "lines", "bytes")
	n, inBytes, _, allBut := count(o)
	if len(o.rest) == 0 && inBytes && !allBut {
		_, _ = io.Copy(p.io.out, io.LimitReader(p.io.in, int64(n)))
		return 0
	}
	in, status := p.inputs(o.rest)
	for i, f := range in {
		p.heading(in, i)
		if inBytes {
			if allBut {
				n = max(len(f.data)-n, 0)
			}
			p.write(f.data[:min(n, len(f.data))])
			continue
		}
		all := bytes.SplitAfter(f.data, []byte("\n"))
		if allBut {
			n = max(len(lines(f.data))-n, 0)
		}
		for j := 0; j < n && j < len(all); j++ {
			p.write(all[j])
		}
	}
	return status
}

func (p *program) heading(in []input, i int) {
	if len(in) > 1 {
		if i > 0 {
			p.print("\n")
		}
		p.print("==> %s <==\n", in[i].name)
	}
}

func tail(p *program) int {
	o := p.parse("ncs", "lines", "bytes")
	n, inBytes, fromStart, _ := count(o)
	var names []string
	for _, r := range o.rest {
		if strings.HasPrefix(r, "+") && isNumber(r[1:]) {
			fromStart, n = true, int(numberOf(r[1:]))
			continue
		}
		names = append(names, r)
	}
	in, status := p.inputs(names)
	for i, f := range in {
		p.heading(in, i)
		if inBytes {
			from := max(len(f.data)-n, 0)
			if fromStart {
				from = min(max(n-1, 0), len(f.data))
			}
			p.write(f.data[from:])
			continue
		}
		all := bytes.SplitAfter(f.data, []byte("\n"))
		if len(all) > 0 && len(all[len(all)-1]) == 0 {
			all = all[:len(all)-1]
		}
		from := max(len(all)-n, 0)
		if fromStart {
			from = min(max(n-1, 0), len(all))
		}
		for _, l := range all[from:] {
			p.write(l)
		}
	}
	if o.is("f", "F", "follow") && !p.back && p.cfg.Terminal {
		p.wait(time.Hour)
	}
	return status
}

// wait stands still, unless nothing waits for this command.
func (p *program) wait(d time.Duration) {
	if p.back {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-p.ctx.Done():
	}
}

func sortLines(p *program) int {
	o := p.parse("kto", "key", "field-separator")
	in, status := p.inputs(o.rest)
	var all []string
	for _, f := range in {
		all = append(all, lines(f.data)...)
	}
	key := func(l string) string {
		k := o.value("k", "key")
		n := int(numberOf(strings.TrimRight(strings.Split(k+",", ",")[0], "nrbfdgh.")))
		if n < 1 {
			return l
		}
		var f []string
		if t := o.value("t", "field-separator"); t != "" {
			f = strings.Split(l, t)
		} else {
			f = strings.Fields(l)
		}
		if n > len(f) {
			return ""
		}
		return f[n-1]
	}
	numeric := o.is("n", "g", "h") || strings.ContainsAny(o.value("k"), "ng")
	slices.SortStableFunc(all, func(a, b string) int {
		x, y := key(a), key(b)
		if numeric {
			if d := leading(x) - leading(y); d != 0 {
				return map[bool]int{true: -1, false: 1}[d < 0]
			}
		}
		return strings.Compare(x, y)
	})
	if o.is("r") || strings.Contains(o.value("k"), "r") {
		slices.Reverse(all)
	}
	if o.is("u") {
		all = slices.Compact(all)
	}
	var out strings.Builder
	for _, l := range all {
		out.WriteString(l + "\n")
	}
	p.write([]byte(out.String()))
	return status
}

// leading is the number that a text begins with.
func leading(s string) float64 {
	s = strings.TrimSpace(s)
	n := digitsOf(s, "-+.0123456789", 32)
	f, _ := strconv.ParseFloat(s[:n], 64)
	return f
}

func uniq(p *program) int {
	o := p.parse("fsw")
	in, status := p.inputs(o.rest)
	for _, f := range in {
		all := lines(f.data)
		for i := 0; i < len(all); {
			j := i
			for j < len(all) && all[j] == all[i] {
				j++
			}
			switch {
			case o.is("d") && j-i < 2, o.is("u") && j-i > 1:
			case o.is("c"):
				p.print("%7d %s\n", j-i, all[i])
			default:
				p.line(all[i])
			}
			i = j
		}
	}
	return status
}

func wc(p *program) int {
	o := p.parse("")
	in, status := p.inputs(o.rest)
	all := !o.is("l", "w", "c", "m")
	var total [3]int
	show := func(n [3]int, name string) {
		var out []string
		for i, k := range []string{"l", "w", "c"} {
			if all || o.is(k) || k == "c" && o.is("m") {
				out = append(out, fmt.Sprint(n[i]))
			}
		}
		line := strings.Join(out, " ")
		if all {
			line = fmt.Sprintf("%7d %7d %7d", n[0], n[1], n[2])
		}
		if name != "-" {
			line += " " + name
		}
		p.line(line)
	}
	for _, f := range in {
		n := [3]int{bytes.Count(f.data, []byte("\n")), len(bytes.Fields(f.data)), len(f.data)}
		for i := range n {
			total[i] += n[i]
		}
		show(n, f.name)
	}
	if len(in) > 1 {
		show(total, "total")
	}
	return status
}

// ranges reads "1,3-5,7-".
func ranges(spec string) func(int) bool {
	return func(n int) bool {
		for _, part := range strings.Split(spec, ",") {
			from, to, isRange := strings.Cut(part, "-")
			a, b := int(numberOf(from)), int(numberOf(to))
			if !isRange {
				b = a
			} else if to == "" {
				b = 1 << 30
			}
			if n >= a && n <= b {
				return true
			}
		}
		return false
	}
}

func cutFields(p *program) int {
	o := p.parse("dfcb", "delimiter", "fields", "output-delimiter")
	in, status := p.inputs(o.rest)
	d := o.value("d", "delimiter")
	if d == "" {
		d = "\t"
	}
	spec := cut(o.value("f", "fields", "c", "b"), 64)
	if spec == "" {
		return p.fail("you must specify a list of bytes, characters, or fields")
	}
	want := ranges(spec)
	for _, f := range in {
		for _, l := range lines(f.data) {
			if !p.line(cutLine(l, d, o, want)) {
				return status
			}
		}
	}
	return status
}

func cutLine(l, d string, o options, want func(int) bool) string {
	var kept []string
	if o.is("c", "b") {
		var b strings.Builder
		for i := range len(l) {
			if want(i + 1) {
				b.WriteByte(l[i])
			}
		}
		return b.String()
	}
	parts := strings.Split(l, d)
	if len(parts) == 1 {
		return l
	}
	for i, x := range parts {
		if want(i + 1) {
			kept = append(kept, x)
		}
	}
	return strings.Join(kept, d)
}

// charSet reads tr's notation.
func charSet(s string) []rune {
	s, _ = unescape(s, false)
	for name, is := range map[string]string{
		"[:lower:]": "a-z", "[:upper:]": "A-Z", "[:digit:]": "0-9", "[:alpha:]": "A-Za-z", "[:alnum:]": "0-9A-Za-z", "[:space:]": " \t\n\r\v\f", "[:punct:]": "!-/:-@[-`{-~",
	} {
		s = strings.ReplaceAll(s, name, is)
	}
	var out []rune
	r := []rune(s)
	for i := 0; i < len(r); i++ {
		if i+2 < len(r) && r[i+1] == '-' && r[i+2] >= r[i] && r[i+2]-r[i] < 256 {
			for c := r[i]; c <= r[i+2]; c++ {
				out = append(out, c)
			}
			i += 2
			continue
		}
		out = append(out, r[i])
	}
	return out
}

func tr(p *program) int {
	o := p.parse("")
	if len(o.rest) == 0 {
		return p.fail("missing operand")
	}
	from := charSet(o.rest[0])
	var to []rune
	if len(o.rest) > 1 {
		to = charSet(o.rest[1])
	}
	at := map[rune]int{}
	for i, c := range from {
		if _, ok := at[c]; !ok {
			at[c] = i
		}
	}
	complement := o.is("c", "C")
	var out []byte
	last := rune(-1)
	for _, b := range p.readAll() {
		c := rune(b)
		i, hit := at[c]
		if complement {
			hit, i = !hit, len(to)
		}
		if hit && o.is("d") {
			continue
		}
		if hit && len(to) > 0 && !o.is("d") {
			c = to[min(i, len(to)-1)]
		}
		if o.is("s") && c == last && (hit || slices.Contains(to, c)) {
			continue
		}
		last = c
		out = append(out, byte(c))
	}
	p.write(out)
	return 0
}

func tee(p *program) int {
	o := p.parse("")
	b := p.readAll()
	p.write(b)
	for _, n := range o.rest {
		if err := p.cfg.FS.Write(p.user(), p.abs(n), b, o.is("a"), 0o644); err != nil {
			p.fail("%s: %s", printable(n), err)
		}
	}
	return 0
}
