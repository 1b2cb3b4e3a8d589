package honeypot

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"log/slog"
	"net/netip"
	"strings"
	"time"
)

// Config is what a honeypot is started with. Dir is required; the zero value of the rest works.
type Config struct {
	Dir    string // everything it keeps
	Limits Limits
	Policy Policy
	// FailDelay is how long a refused password takes; below zero: no time. Default 1.5 s, about what sshd with PAM takes.
	FailDelay time.Duration
	// Forwards says what becomes of direct-tcpip: "refuse" (default), or "canned": accepted, the first bytes recorded, answered by silence.
	Forwards string
	Now      func() time.Time
	Log      *slog.Logger
	// Observe is told what is worth knowing of an intruder. It must not block for long; nil discards.
	Observe func(Observation)
	// Attack is told of each visit that tried to sign in: at its first attempt, and again with everything at its end.
	Attack func(Attack)
}

// Observation is one indicator as it was seen.
type Observation struct {
	Kind    Kind
	Value   string
	Note    string // how it was come by
	Session string
	Source  string
	Time    time.Time
}

// Kind is what an observation is of.
type Kind string

// The kinds.
const (
	Address    Kind = "ip"
	Domain     Kind = "domain"
	URL        Kind = "url"
	SHA256     Kind = "sha256"
	HASSH      Kind = "hassh"
	Credential Kind = "credential" // user:password
	Shingle    Kind = "shingle"    // commands, in the form of package shingle
)

// Attack is one visit.
type Attack struct {
	Session, Protocol string
	Source            netip.Addr
	First, Last       time.Time
	Tries             int      // credentials
	User              string   // that was let in; "" if none
	Lines             []string // commands, as they were typed
	URLs              []string
	HASSH             string // fingerprint of its SSH client; "" if it is none, or hasn't signed in
	Ended             bool
}

// Limits bound what visitors may take. Zero fields get the defaults.
type Limits struct {
	Connections int           // at a time; default 100
	PerSource   int           // at a time; default 8
	Session     time.Duration // default 15 min
	Idle        time.Duration // default 3 min
	Login       time.Duration // until somebody is signed in; default 60 s
	Tries       int           // of passwords, for a connection; default 6
	BytesIn     int64         // default 16 MiB
	BytesOut    int64         // default 32 MiB
	Written     int64         // bytes kept in memory for a source; default 4 MiB
	Files       int           // and files; default 500
	Sources     int           // whose files are kept; default 256
	Memory      int64         // bytes of all sources' files, beyond which those of the longest absent are forgotten; default 128 MiB
	Records     int64         // bytes on disk; default 1 GiB
}

func (l Limits) filled() Limits {
	or := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	or64 := func(v *int64, d int64) {
		if *v <= 0 {
			*v = d
		}
	}
	orTime := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	or(&l.Connections, 100)
	or(&l.PerSource, 8)
	or(&l.Tries, 6)
	or(&l.Files, 500)
	or(&l.Sources, 256)
	or64(&l.BytesIn, 16<<20)
	or64(&l.BytesOut, 32<<20)
	or64(&l.Written, 4<<20)
	or64(&l.Memory, 128<<20)
	or64(&l.Records, 1<<30)
	orTime(&l.Session, 15*time.Minute)
	orTime(&l.Idle, 3*time.Minute)
	orTime(&l.Login, time.Minute)
	return l
}

// Policy says who is let in.
type Policy struct {
	// Credentials are pairs "user:password" that are; * stands for any user or any password. nil: DefaultCredentials.
	Credentials []string
	// OneIn lets in one in so many other pairs, always the same for the same source. 0: none.
	OneIn int
}

// DefaultCredentials are passwords that programs and devices are shipped with, as the post of 24 November 2018 has it: "a good chunk of them are defaults".
func DefaultCredentials() []string {
	return []string{
		"cassandra:cassandra", "root:root", "root:123456", "root:admin", "root:password", "admin:admin", "admin:password", "ubuntu:ubuntu", "debian:debian", "test:test", "guest:guest", "user:user",
		"mysql:mysql", "postgres:postgres", "oracle:oracle", "tomcat:tomcat", "jenkins:jenkins", "hadoop:hadoop", "elastic:elastic", "redis:redis", "git:git", "ftpuser:ftpuser", "nagios:nagios",
	}
}

// accepts decides on a pair. seed makes the draw this installation's own.
func (p Policy) accepts(seed [32]byte, source netip.Addr, user, password string) bool {
	for _, c := range p.Credentials {
		u, w, ok := strings.Cut(c, ":")
		if ok && (u == "*" || u == user) && (w == "*" || w == password) {
			return true
		}
	}
	if p.OneIn <= 0 {
		return false
	}
	h := hmac.New(sha256.New, seed[:])
	for _, part := range []string{source.String(), user, password} {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
		h.Write([]byte(part))
	}
	return binary.BigEndian.Uint64(h.Sum(nil))%uint64(p.OneIn) == 0
}
