package portal

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const (
	// The prefix makes browsers demand Secure, the path "/" and no domain: no other host under the suffix can set these.
	sessionCookie = "__Host-portal"
	attemptCookie = "__Host-portal-signin"

	sessionLife = 8 * time.Hour
	attemptLife = 15 * time.Minute
	linkLife    = 5 * time.Minute

	maxSessions = 1000 // of each kind; the oldest is forgotten
)

// session is a browser whose user is known.
type session struct {
	name   string // to show
	canary string // in every form
	admin  bool   // let in by a link: tokens are the administrator's

	mu      sync.Mutex
	access  Secret
	expires time.Time
	refresh Secret
}

// attempt is a sign-in under way.
type attempt struct {
	verifier Secret // PKCE
	back     string // path to go to afterwards
	redirect string
}

// sessions are those of all browsers, by the hash of the cookie.
type sessions struct {
	clock    clock.Clock
	mu       sync.Mutex
	open     table[*session]
	attempts table[attempt]
	links    table[struct{}]
}

func newSessions(c clock.Clock) *sessions {
	return &sessions{clock: c, open: table[*session]{}, attempts: table[attempt]{}, links: table[struct{}]{}}
}

type entry[T any] struct {
	value T
	until time.Time
}

// table is a bounded map from hashes of random texts.
type table[T any] map[[32]byte]entry[T]

func (t table[T]) put(now time.Time, text string, value T, life time.Duration) {
	if len(t) >= maxSessions {
		var oldest [32]byte
		first := now.Add(365 * 24 * time.Hour)
		for k, e := range t {
			if e.until.Before(now) {
				delete(t, k)
			} else if e.until.Before(first) {
				oldest, first = k, e.until
			}
		}
		if len(t) >= maxSessions {
			delete(t, oldest)
		}
	}
	t[sha256.Sum256([]byte(text))] = entry[T]{value, now.Add(life)}
}

func (t table[T]) get(now time.Time, text string) (value T, ok bool) {
	e, ok := t[sha256.Sum256([]byte(text))]
	if !ok || !now.Before(e.until) {
		return value, false
	}
	return e.value, true
}

func (t table[T]) take(now time.Time, text string) (T, bool) {
	v, ok := t.get(now, text)
	delete(t, sha256.Sum256([]byte(text)))
	return v, ok
}

// random is a text nobody guesses: 256 bits.
func random() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// start begins a session and gives the browser its cookie.
func (s *Service) start(r *wire.Request, v *session) {
	v.canary = random()
	cookie := random()
	s.sessions.mu.Lock()
	s.sessions.open.put(s.deps.Clock.Now(), cookie, v, sessionLife)
	s.sessions.mu.Unlock()
	setCookie(r, sessionCookie, cookie, 0)
}

// setCookie adds a cookie to the answer; it ends with the browser unless age says otherwise (-1: at once).
func setCookie(r *wire.Request, name, value string, age int) {
	c := http.Cookie{Name: name, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: age}
	r.AddHeader("Set-Cookie", c.String())
}

// session finds the browser's session, nil if it has none.
func (s *Service) session(r *wire.Request) *session {
	c, err := r.HTTP.Cookie(sessionCookie)
	if err != nil {
		return nil
	}
	s.sessions.mu.Lock()
	defer s.sessions.mu.Unlock()
	v, _ := s.sessions.open.get(s.deps.Clock.Now(), c.Value)
	return v
}

// pageHandler answers a signed-in user.
type pageHandler func(ctx context.Context, r *wire.Request, who *session) (any, error)

// signedIn sends browsers that have no session to the sign-in and lets the others through.
func (s *Service) signedIn(h pageHandler) wire.Handler {
	return func(ctx context.Context, r *wire.Request) (any, error) {
		who := s.session(r)
		if who == nil {
			if r.HTTP.Method != http.MethodGet {
				return nil, fault.New(fault.Unauthenticated, "SignInRequired", "You are not signed in any more. Go back, load the page again, and repeat what you did.")
			}
			return s.signIn(r)
		}
		v, err := h(ctx, r, who)
		if fault.Is(err, fault.Unauthenticated) && r.HTTP.Method == http.MethodGet {
			return s.signIn(r) // the token is no good any more
		}
		return v, err
	}
}

// fromOwnPage demands the canary of the session's own pages.
func (s *Service) fromOwnPage(h pageHandler) pageHandler {
	return func(ctx context.Context, r *wire.Request, who *session) (any, error) {
		form, err := url.ParseQuery(string(r.Body))
		if err != nil {
			return nil, fault.New(fault.Invalid, "BadRequest", "The form is not well-formed.")
		}
		if subtle.ConstantTimeCompare([]byte(form.Get("canary")), []byte(who.canary)) != 1 {
			return nil, fault.New(fault.Forbidden, "WrongPage", "The form did not come from a page of this session. Load the page again.")
		}
		r.State = form
		return h(ctx, r, who)
	}
}
