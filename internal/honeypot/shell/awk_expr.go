package shell

import (
	"math"
	"regexp"
	"strconv"
	"strings"
)

// expression is the lowest level: or, and, match, comparison, concatenation, sum, product, unary.
func (a *awkState) expression() string {
	if a.depth++; a.depth > 64 {
		a.wrong = true
		return ""
	}
	defer func() { a.depth-- }()
	v := a.and()
	for a.take("||") {
		w := a.and()
		v = boolText(awkTrue(v) || awkTrue(w))
	}
	if a.take("?") {
		yes := a.expression()
		a.take(":")
		if no := a.expression(); !awkTrue(v) {
			return no
		}
		return yes
	}
	return v
}

func boolText(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

func (a *awkState) and() string {
	v := a.comparison()
	for a.take("&&") {
		w := a.comparison()
		v = boolText(awkTrue(v) && awkTrue(w))
	}
	return v
}

func (a *awkState) comparison() string {
	v := a.concatenation()
	for _, op := range []string{"!~", "~", "==", "!=", "<=", ">=", "<"} {
		if !a.take(op) {
			continue
		}
		if op == "~" || op == "!~" {
			a.space()
			re := a.regexp()
			if re == nil {
				return "0"
			}
			return boolText(re.MatchString(v) == (op == "~"))
		}
		return boolText(awkCompare(op, v, a.concatenation()))
	}
	if a.space(); strings.HasPrefix(a.src, ">") && a.depth > 0 && !strings.HasPrefix(a.src, ">>") {
		rest := strings.TrimLeft(a.src[1:], " ")
		if rest != "" && (rest[0] >= '0' && rest[0] <= '9' || rest[0] == '$') {
			a.src = a.src[1:]
			return boolText(awkCompare(">", v, a.concatenation()))
		}
	}
	return v
}

func (a *awkState) regexp() *regexp.Regexp {
	text := ""
	if strings.HasPrefix(a.src, "/") {
		var ok bool
		if text, a.src, ok = delimited(a.src[1:], '/'); !ok {
			a.wrong = true
			return nil
		}
	} else {
		text = a.concatenation()
	}
	re, err := compiled(text)
	if err != nil {
		a.wrong = true
		return nil
	}
	return re
}

func awkCompare(op, v, w string) bool {
	x, err1 := strconv.ParseFloat(strings.TrimSpace(v), 64)
	y, err2 := strconv.ParseFloat(strings.TrimSpace(w), 64)
	c := strings.Compare(v, w)
	if err1 == nil && err2 == nil {
		c = 0
		if x < y {
			c = -1
		} else if x > y {
			c = 1
		}
	}
	switch op {
	case "==":
		return c == 0
	case "!=":
		return c != 0
	case "<=":
		return c <= 0
	case ">=":
		return c >= 0
	case "<":
		return c < 0
	}
	return c > 0
}

func (a *awkState) concatenation() string {
	v := a.sum()
	for {
		a.space()
		if a.src == "" || a.wrong || !(a.src[0] == '"' || a.src[0] == '$' || a.src[0] == '(' || isNameByte(a.src[0])) || a.isWord("in", "else") {
			return v
		}
		v = cut(v+a.sum(), maxValue)
	}
}

func (a *awkState) isWord(words ...string) bool {
	for _, w := range words {
		if strings.HasPrefix(a.src, w) && (len(a.src) == len(w) || !isNameByte(a.src[len(w)])) {
			return true
		}
	}
	return false
}

func awkNumber(f float64) string {
	if f == math.Trunc(f) && math.Abs(f) < 1e15 {
		return strconv.FormatInt(int64(f), 10)
	}
	return strconv.FormatFloat(f, 'g', 6, 64)
}

func (a *awkState) sum() string {
	v := a.product()
	for a.space(); len(a.src) > 0 && (a.src[0] == '+' || a.src[0] == '-'); a.space() {
		op := a.src[0]
		a.src = a.src[1:]
		w := leading(a.product())
		if op == '-' {
			w = -w
		}
		v = awkNumber(leading(v) + w)
	}
	return v
}

func (a *awkState) product() string {
	v := a.unary()
	for a.space(); len(a.src) > 0 && strings.IndexByte("*/%", a.src[0]) >= 0; a.space() {
		op := a.src[0]
		a.src = a.src[1:]
		x, y := leading(v), leading(a.unary())
		switch {
		case op == '*':
			v = awkNumber(x * y)
		case y == 0:
			a.wrong = true
		case op == '/':
			v = awkNumber(x / y)
		default:
			v = awkNumber(math.Mod(x, y))
		}
	}
	return v
}

func (a *awkState) unary() string {
	if a.depth++; a.depth > 128 {
		a.wrong = true
		return ""
	}
	defer func() { a.depth-- }()
	a.space()
	switch {
	case a.src == "":
		a.wrong = true
		return ""
	case a.src[0] == '/':
		re := a.regexp()
		return boolText(re != nil && re.MatchString(a.field(0)))
	case a.src[0] == '!':
		a.src = a.src[1:]
		return boolText(!awkTrue(a.unary()))
	case a.src[0] == '-':
		a.src = a.src[1:]
		return awkNumber(-leading(a.unary()))
	case a.take("("):
		v := a.expression()
		a.take(")")
		return v
	case a.src[0] == '"':
		text, rest, ok := delimited(a.src[1:], '"')
		if !ok {
			a.wrong = true
			return ""
		}
		a.src = rest
		text, _ = unescape(text, false)
		return text
	case a.src[0] == '$':
		a.src = a.src[1:]
		return a.field(int(leading(a.unary())))
	}
	if n := digitsOf(a.src, "0123456789.", 32); n > 0 {
		v := a.src[:n]
		a.src = a.src[n:]
		return v
	}
	n := 0
	for n < len(a.src) && isNameByte(a.src[n]) {
		n++
	}
	if n == 0 {
		a.wrong = true
		return ""
	}
	name := a.src[:n]
	a.src = a.src[n:]
	return a.named(name)
}

// named is a variable, an assignment to one, or a function.
func (a *awkState) named(name string) string {
	if name == "for" || name == "while" || name == "do" || name == "function" || name == "getline" || name == "delete" {
		a.wrong = true
		return ""
	}
	if strings.HasPrefix(a.src, "(") {
		return a.function(name)
	}
	if strings.HasPrefix(a.src, "[") { // an array: its element is a variable of its own
		a.src = a.src[1:]
		name += "\x1c" + a.expression()
		a.take("]")
	}
	value := func() string {
		switch name {
		case "NF":
			return strconv.Itoa(max(len(a.fields)-1, 0))
		case "NR", "FNR":
			return strconv.Itoa(a.nr)
		case "FS":
			return a.fs
		}
		return a.vars[name]
	}
	set := func(v string) string {
		switch {
		case a.dry:
		case name == "FS":
			a.fs = cut(v, 256)
		case len(a.vars) < maxElements || a.vars[name] != "":
			a.vars[cut(name, 256)] = cut(v, 4096)
		}
		return v
	}
	switch {
	case a.take("++"):
		v := value()
		set(awkNumber(leading(v) + 1))
		return v
	case a.take("--"):
		v := value()
		set(awkNumber(leading(v) - 1))
		return v
	case a.take("+="):
		return set(awkNumber(leading(value()) + leading(a.expression())))
	case a.take("-="):
		return set(awkNumber(leading(value()) - leading(a.expression())))
	case !strings.HasPrefix(strings.TrimLeft(a.src, " "), "==") && a.take("="):
		return set(a.expression())
	}
	return value()
}

func (a *awkState) function(name string) string {
	a.take("(")
	var args []string
	for a.space(); a.src != "" && a.src[0] != ')' && !a.wrong && len(args) < 16; a.space() {
		args = append(args, a.expression())
		a.take(",")
	}
	a.take(")")
	arg := func(i int) string {
		if i < len(args) {
			return args[i]
		}
		return ""
	}
	switch name {
	case "length":
		if len(args) == 0 {
			return strconv.Itoa(len(a.field(0)))
		}
		return strconv.Itoa(len(arg(0)))
	case "substr":
		s := arg(0)
		from := min(max(int(leading(arg(1)))-1, 0), len(s))
		to := len(s)
		if len(args) > 2 {
			to = min(max(from+int(min(leading(arg(2)), 1e6)), from), len(s))
		}
		return s[from:to]
	case "index":
		return strconv.Itoa(strings.Index(arg(0), arg(1)) + 1)
	case "tolower":
		return strings.ToLower(arg(0))
	case "toupper":
		return strings.ToUpper(arg(0))
	case "int":
		return awkNumber(math.Trunc(leading(arg(0))))
	case "sprintf":
		var b strings.Builder
		formatOnce(&b, arg(0), args[min(1, len(args)):])
		return cut(b.String(), maxValue)
	case "system", "srand", "rand", "close", "systime":
		return "0"
	}
	a.wrong = true
	return ""
}
