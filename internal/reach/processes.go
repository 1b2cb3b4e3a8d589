package reach

import (
	"crypto/subtle"
	"encoding/hex"
	"sync"

	"github.com/bulkheadhq/bulkhead/internal/ids"
)

// MACer derives values that only this installation can; *seal.Sealer is one.
type MACer interface {
	MAC(shard string, parts ...string) []byte
}

// EnvironmentUser is the proxy user of shells that took over `bulkhead env`. Its secret is the same after a restart, and it is nobody's identity.
const EnvironmentUser = "env"

// Processes gives child processes proxy credentials of their own. Safe for concurrent use.
type Processes struct {
	mac MACer

	mu    sync.RWMutex
	alive map[string]string // user -> identity (ARM id, may be "")
}

// NewProcesses returns an empty registry.
func NewProcesses(mac MACer) *Processes {
	return &Processes{mac: mac, alive: map[string]string{EnvironmentUser: ""}}
}

// Credential is a proxy user and secret, both of URL-safe characters.
type Credential struct{ User, Secret string }

// Start makes credentials for one process tree that runs as the resource identity ("" for none). release ends them.
func (p *Processes) Start(identity string) (c Credential, release func()) {
	user := ids.New()
	p.mu.Lock()
	p.alive[user] = identity
	p.mu.Unlock()
	return p.credential(user), func() { p.End(user) }
}

// End makes a user's credentials worthless; those of EnvironmentUser stay.
func (p *Processes) End(user string) {
	if user == EnvironmentUser {
		return
	}
	p.mu.Lock()
	delete(p.alive, user)
	p.mu.Unlock()
}

// Environment is the credential of EnvironmentUser.
func (p *Processes) Environment() Credential { return p.credential(EnvironmentUser) }

func (p *Processes) credential(user string) Credential {
	return Credential{user, hex.EncodeToString(p.mac.MAC("proxy", user)[:16])}
}

// check tells whether the credentials are those of a living process, and as whom it runs.
func (p *Processes) check(user, secret string) (identity string, ok bool) {
	want := p.credential(user).Secret
	p.mu.RLock()
	identity, alive := p.alive[user]
	p.mu.RUnlock()
	same := subtle.ConstantTimeCompare([]byte(secret), []byte(want)) == 1
	if !alive || !same {
		return "", false
	}
	return identity, true
}
