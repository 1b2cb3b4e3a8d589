// Package shingle writes commands in a form that stays the same where a tool is used again: names, options and words as they are, and a sign for what differs from one
// victim to the next. Two machines on which the same shingles were seen were very likely visited by the same people or their scripts.
//
//	./ssh2 1500 -b 10.49 pass 22 "uname -a & lscpu"   ->   ssh# # -b %net pass # uname -a & lscpu
//
// A shingle is one command with at least five words, or three commands after each other. Ordinary work has few of the former and repeats few of the latter.
//
// Everything here is pure and bounded: a word is cut to 48 bytes, a command to 24 words.
package shingle

import (
	"net/netip"
	"strings"
)

const (
	maxWord  = 48
	maxWords = 24
	long     = 5 // words that make one command a shingle by itself
	width    = 3 // commands
)

// Normal is a command in the form that is compared. "" if there is none.
func Normal(args []string) string {
	var b strings.Builder
	for i, a := range args {
		if i == maxWords {
			b.WriteString(" ...")
			break
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		w := word(a, i == 0)
		if len(w) > maxWord {
			w = w[:maxWord] + "..."
		}
		b.WriteString(w)
	}
	return strings.ToValidUTF8(strings.TrimSpace(b.String()), "?")
}

// word puts a sign where a word is an address, a network, a URL or a number.
func word(w string, first bool) string {
	if first {
		w = w[strings.LastIndexByte(w, '/')+1:]
	}
	w = strings.Join(strings.Fields(w), " ")
	if strings.Contains(w, "://") {
		return "%url"
	}
	host, _, _ := strings.Cut(w, "/")
	if a, err := netip.ParseAddr(host); err == nil && a.IsValid() {
		return "%addr"
	}
	if x, y, ok := strings.Cut(w, "."); ok && octet(x) && octet(y) {
		return "%net"
	}
	if slash := strings.HasPrefix(w, "/"); slash && !first {
		for _, dir := range []string{"/tmp", "/var/tmp", "/dev/shm", "/home", "/root"} { // where a kit lies differs
			if strings.HasPrefix(w, dir+"/") {
				w = "%dir/" + w[strings.LastIndexByte(w, '/')+1:]
				break
			}
		}
	}
	var b strings.Builder
	number := false
	for i := 0; i < len(w) && b.Len() <= maxWord; i++ {
		if c := w[i]; c < '0' || c > '9' {
			b.WriteByte(c)
			number = false
		} else if !number {
			b.WriteByte('#')
			number = true
		}
	}
	return b.String()
}

func octet(s string) bool {
	if s == "" || len(s) > 3 || strings.Trim(s, "0123456789") != "" {
		return false
	}
	n := 0
	for _, c := range s {
		n = n*10 + int(c-'0')
	}
	return n < 256
}

// Window makes shingles of one session's commands. Its zero value is ready.
type Window struct {
	last []string
}

// Add takes the next command and gives the shingles that it completes, none, one or two. A command that repeats the one before it is not counted again.
func (w *Window) Add(args []string) []string {
	n := Normal(args)
	if n == "" {
		return nil
	}
	var out []string
	if len(args) >= long {
		out = append(out, n)
	}
	if len(w.last) > 0 && w.last[len(w.last)-1] == n {
		return out
	}
	if w.last = append(w.last, n); len(w.last) > width {
		w.last = w.last[1:]
	}
	if len(w.last) == width {
		out = append(out, strings.Join(w.last, " | "))
	}
	return out
}
