package armclient

import (
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"slices"
	"strings"
)

// ErrUsage is wrapped by errors about a command line that makes no sense.
var ErrUsage = errors.New("usage: armclient VERB PATH [@FILE|BODY] [-verbose] [-h \"NAME: VALUE\"]")

// Verbs that send a request, and those that only tell of the sign-in.
var (
	requestVerbs = []string{"GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"}
	signInVerbs  = []string{"login", "azlogin", "upn", "spn", "token", "listcache", "clearcache"}
)

// Line is a command line taken apart.
type Line struct {
	Verb    string // an HTTP method in capitals, or a sign-in verb in small letters
	URL     *url.URL
	Body    []byte // nil: none
	Header  http.Header
	Verbose bool
	Args    []string // of a sign-in verb
	Notes   []string // what was read otherwise than it was written
}

// SignIn tells whether the line only asks about the sign-in.
func (l Line) SignIn() bool { return slices.Contains(signInVerbs, l.Verb) }

// host is where an address without one goes.
const host = "management.azure.com"

// Parse takes the arguments behind the program's name apart, and reads the file of an @file argument.
func Parse(args []string) (Line, error) {
	l := Line{Header: http.Header{}}
	words, err := l.flags(args)
	if err != nil {
		return l, err
	}
	if len(words) == 0 {
		return l, fmt.Errorf("%w: the verb is missing", ErrUsage)
	}
	verb := unquote(words[0])
	if l.Verb = strings.ToLower(verb); slices.Contains(signInVerbs, l.Verb) {
		l.Args = words[1:]
		return l, nil
	}
	if l.Verb = strings.ToUpper(verb); !slices.Contains(requestVerbs, l.Verb) {
		return l, fmt.Errorf("%w: %q is no verb; there are %s and %s", ErrUsage, words[0],
			strings.ToLower(strings.Join(requestVerbs, ", ")), strings.Join(signInVerbs, ", "))
	}
	if len(words) < 2 {
		return l, fmt.Errorf("%w: the path is missing", ErrUsage)
	}
	if l.URL, err = address(words[1]); err != nil {
		return l, err
	}
	body, err := l.bodyWord(words[2:])
	if err != nil || body == "" {
		return l, err
	}
	if l.Verb == http.MethodGet || l.Verb == http.MethodHead {
		return l, fmt.Errorf("%w: %s takes no body", ErrUsage, l.Verb)
	}
	if file, ok := strings.CutPrefix(body, "@"); ok {
		l.Body, err = os.ReadFile(unquote(file))
		return l, err
	}
	l.Body = []byte(body)
	return l, nil
}

// flags takes -verbose and -h out of the arguments.
func (l *Line) flags(args []string) (words []string, err error) {
	for i := 0; i < len(args); i++ {
		switch strings.ToLower(args[i]) {
		case "-verbose", "--verbose", "-v":
			l.Verbose = true
		case "-h", "--header", "-header":
			i++
			if i == len(args) {
				return nil, fmt.Errorf("%w: %s wants \"NAME: VALUE\"", ErrUsage, args[i-1])
			}
			name, value, ok := strings.Cut(args[i], ":")
			name = strings.TrimSpace(name)
			if !ok || !token(name) || strings.ContainsAny(value, "\r\n\x00") {
				return nil, fmt.Errorf("%w: %s wants \"NAME: VALUE\"", ErrUsage, args[i-1])
			}
			l.Header.Add(textproto.CanonicalMIMEHeaderKey(name), strings.TrimSpace(value))
		default:
			words = append(words, args[i])
		}
	}
	return words, nil
}

// token tells whether s can be a header's name.
func token(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r)
	})
}

// bodyWord is the one argument behind the address that is a body. Posts show a piece of the api-version torn off by a line break before it, and a remark after it.
func (l *Line) bodyWord(words []string) (string, error) {
	if len(words) <= 1 {
		return strings.Join(words, ""), nil
	}
	body := ""
	for _, w := range words {
		switch {
		case body == "" && isBody(w):
			body = w
		case isBody(w):
			return "", fmt.Errorf("%w: more than one body; put it into quotes", ErrUsage)
		case body == "" && tornVersion(w), body != "" && strings.HasPrefix(w, "("), body != "" && strings.HasSuffix(w, ")"):
			l.Notes = append(l.Notes, fmt.Sprintf("left out %q: neither path nor body", w))
		default:
			return "", fmt.Errorf("%w: %q is neither path nor body", ErrUsage, w)
		}
	}
	return body, nil
}

func isBody(w string) bool {
	w = strings.TrimSpace(w)
	return strings.HasPrefix(w, "@") || strings.HasPrefix(w, "{") || strings.HasPrefix(w, "[")
}

// tornVersion tells whether w is the end of an api-version, such as 1-preview.
func tornVersion(w string) bool {
	rest, ok := strings.CutSuffix(w, "preview")
	return ok && strings.Trim(rest, "0123456789-") == ""
}

// quotes are what a pasted address may still have around it.
const quotes = "\"'\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f"

func unquote(s string) string { return strings.Trim(strings.TrimSpace(s), quotes) }

// address makes a URL of what was given: a full one, a path, or a path without its slash.
func address(s string) (*url.URL, error) {
	raw := strings.ReplaceAll(unquote(s), " ", "%20")
	if raw == "" {
		return nil, fmt.Errorf("%w: the path is empty", ErrUsage)
	}
	scheme, _, full := strings.Cut(raw, "://")
	if !full || strings.ContainsAny(scheme, "/?") {
		raw = "https://" + host + "/" + strings.TrimLeft(raw, "/")
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: the path %q is not well formed", ErrUsage, s)
	}
	if u.Scheme != "https" || u.Host == "" || u.User != nil {
		return nil, fmt.Errorf("%w: %q must begin with https:// and a host, or be a path", ErrUsage, s)
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}
