package shell

import (
	"fmt"
	"strconv"
	"strings"
)

// unescape reads backslash escapes as echo -e and printf do. ended: a \c was met, after which nothing is printed.
func unescape(s string, echo bool) (out string, ended bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch c := s[i]; c {
		case 'n', 't', 'r', 'a', 'b', 'f', 'v', 'e', 'E', '\\':
			b.WriteByte(map[byte]byte{'n': '\n', 't': '\t', 'r': '\r', 'a': 7, 'b': 8, 'f': 12, 'v': 11, 'e': 27, 'E': 27, '\\': '\\'}[c])
		case 'c':
			return b.String(), true
		case 'x':
			n := digitsOf(s[i+1:], "0123456789abcdefABCDEF", 2)
			v, err := strconv.ParseUint(s[i+1:i+1+n], 16, 8)
			if err != nil {
				b.WriteString(`\x`)
			} else {
				b.WriteByte(byte(v))
			}
			i += n
		case '0', '1', '2', '3', '4', '5', '6', '7':
			if echo && c != '0' {
				b.WriteByte('\\')
				b.WriteByte(c)
				continue
			}
			from := i
			if echo || c == '0' {
				from++
			}
			n := digitsOf(s[from:], "01234567", 3)
			v, _ := strconv.ParseUint("0"+s[from:from+n], 8, 16)
			b.WriteByte(byte(v))
			i = from + n - 1
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	return b.String(), false
}

func digitsOf(s, of string, most int) int {
	n := 0
	for n < len(s) && n < most && strings.IndexByte(of, s[n]) >= 0 {
		n++
	}
	return n
}

func printf(p *program) int {
	args := p.args[1:]
	variable := ""
	if len(args) > 1 && args[0] == "-v" {
		variable, args = args[1], args[2:]
	}
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		p.fail("usage: printf [-v var] format [arguments]")
		return 2
	}
	out := formatAll(args[0], args[1:])
	if variable != "" {
		p.assign(variable, out)
		return 0
	}
	if _, err := p.io.out.Write([]byte(out)); err != nil {
		return 1
	}
	return 0
}

// formatAll repeats a format until its arguments are used up. What it makes is bounded.
func formatAll(format string, args []string) string {
	var b strings.Builder
	for first := true; first || len(args) > 0 && b.Len() < maxPipe; first = false {
		used := formatOnce(&b, format, args)
		if used == 0 {
			break
		}
		args = args[min(used, len(args)):]
	}
	return b.String()
}

func formatOnce(b *strings.Builder, format string, args []string) (used int) {
	next := func() string {
		used++
		if used <= len(args) {
			return args[used-1]
		}
		return ""
	}
	literal := func(s string) {
		t, _ := unescape(s, false)
		b.WriteString(t)
	}
	for format != "" && b.Len() < maxPipe {
		i := strings.IndexByte(format, '%')
		if i < 0 {
			literal(format)
			break
		}
		literal(format[:i])
		format = format[i+1:]
		if strings.HasPrefix(format, "%") {
			b.WriteByte('%')
			format = format[1:]
			continue
		}
		n := digitsOf(format, "-+ #0123456789.*", 16)
		flags := format[:n]
		if n == len(format) {
			b.WriteString("%" + flags)
			break
		}
		verb := format[n]
		format = format[n+1:]
		for strings.Contains(flags, "*") {
			flags = strings.Replace(flags, "*", strconv.Itoa(int(numberOf(next()))), 1)
		}
		conversion(b, bounded(flags), verb, next())
	}
	return used
}

// bounded cuts widths and precisions that would fill the memory.
func bounded(flags string) string {
	out, n := "", ""
	for _, c := range flags + "\x00" {
		if c >= '0' && c <= '9' {
			n += string(c)
			continue
		}
		if v, err := strconv.Atoi(n); n != "" && (err != nil || v > 4096) {
			n = "4096"
		}
		out += n
		if n = ""; c != 0 {
			out += string(c)
		}
	}
	return out
}

func conversion(b *strings.Builder, flags string, verb byte, arg string) {
	switch verb {
	case 's':
		fmt.Fprintf(b, "%"+flags+"s", arg)
	case 'b':
		t, _ := unescape(arg, true)
		fmt.Fprintf(b, "%"+flags+"s", t)
	case 'q':
		fmt.Fprintf(b, "%q", arg)
	case 'c':
		b.WriteString(cut(arg, 1))
	case 'd', 'i', 'u':
		fmt.Fprintf(b, "%"+flags+"d", numberOf(arg))
	case 'x', 'X', 'o':
		fmt.Fprintf(b, "%"+flags+string(verb), numberOf(arg))
	case 'f', 'e', 'g', 'F', 'E', 'G':
		f, _ := strconv.ParseFloat(arg, 64)
		fmt.Fprintf(b, "%"+flags+string(verb), f)
	default:
		b.WriteString("%" + flags + string(verb))
	}
}

func numberOf(s string) int64 {
	s = strings.TrimSpace(s)
	if len(s) > 1 && (s[0] == '\'' || s[0] == '"') {
		return int64(s[1])
	}
	n, err := strconv.ParseInt(s, 0, 64)
	if err != nil {
		f, _ := strconv.ParseFloat(s, 64)
		return int64(f)
	}
	return n
}
