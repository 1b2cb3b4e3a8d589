package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync"
)

// Path is where the endpoint is, below the machine listener's address.
const Path = "/msi/token"

// registry knows which secret stands for which resource. It keeps hashes: looking one up takes the same time whatever the guess has in common with a secret.
type registry struct {
	mu     sync.RWMutex
	owners map[[sha256.Size]byte]string // hash of the secret -> ARM id
}

// Register makes a secret for one process that runs as the resource with the given ARM id. path is the endpoint's, below the machine listener's address. release
// ends the secret and must be called when the process has ended; calling it again does nothing.
func (s *Service) Register(resourceID string) (path, secret string, release func()) {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	secret = hex.EncodeToString(b[:])
	key := sha256.Sum256([]byte(secret))
	s.secrets.mu.Lock()
	s.secrets.owners[key] = resourceID
	s.secrets.mu.Unlock()
	return Path, secret, func() {
		s.secrets.mu.Lock()
		delete(s.secrets.owners, key)
		s.secrets.mu.Unlock()
	}
}

// Moved lets the secrets that stand for a resource stand for it under its new id: a process goes on until it is replaced by one that was told that id.
func (s *Service) Moved(from, to string) {
	s.secrets.mu.Lock()
	defer s.secrets.mu.Unlock()
	for key, owner := range s.secrets.owners {
		if strings.EqualFold(owner, from) {
			s.secrets.owners[key] = to
		}
	}
}

// owner returns the ARM id a secret stands for.
func (r *registry) owner(secret string) (resourceID string, ok bool) {
	key := sha256.Sum256([]byte(secret))
	r.mu.RLock()
	defer r.mu.RUnlock()
	resourceID, ok = r.owners[key]
	return resourceID, ok
}
