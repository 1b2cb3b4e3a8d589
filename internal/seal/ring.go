package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"

	"golang.org/x/crypto/argon2"
)

const (
	ringVersion = 1
	maxRing     = 1 << 20 // bytes of a key ring file
	maxSlots    = 8

	kindKey        = "key"
	kindPassphrase = "passphrase"
)

// Errors of a key ring.
var (
	ErrMaster = errors.New("wrong master key")
	ErrRing   = errors.New("the key ring is damaged")
)

// Ring is the file with the keys that data is encrypted with: sealing keys and the store's data keys. The keys are encrypted with the
// ring's own key, which lies beside them in one slot for each master that opens the ring. So a new master means a new slot, and no
// data is touched. Safe for concurrent use; writing to one file from two processes is not. Prints as redacted.
type Ring struct {
	path string
	disk disk
	cost argon2id // of new passphrase slots; zero: what is right today

	mu     sync.Mutex
	file   ringFile
	keys   ringKeys
	key    []byte // the ring's own
	master Master // that opened it
	slot   int    // its slot
}

// ringFile is the file, in JSON.
type ringFile struct {
	Version int    `json:"bulkheadKeyring"`
	Slots   []slot `json:"slots"` // newest first
	Keys    []byte `json:"keys"`  // ringKeys, encrypted
}

// slot is the ring's key encrypted with one master.
type slot struct {
	Kind    string    `json:"kind"`
	ID      string    `json:"id,omitempty"`       // of a master key
	Argon2  *argon2id `json:"argon2id,omitempty"` // of a passphrase
	Wrapped []byte    `json:"wrapped"`
}

// argon2id are the parameters that make a key of a passphrase.
type argon2id struct {
	Salt    []byte `json:"salt"`
	Time    uint32 `json:"time"`
	Memory  uint32 `json:"memoryKiB"`
	Threads uint8  `json:"threads"`
}

// ringKeys is what the ring keeps. In each list the first key makes, all open.
type ringKeys struct {
	Encrypted bool     `json:"encrypted"` // the store's files are
	Seal      [][]byte `json:"seal"`
	Store     [][]byte `json:"store"`
}

// CreateRing makes a key ring at path that m opens, unless one is there, and opens it. roots are the sealing keys, the one that seals first.
func CreateRing(path string, m Master, roots [][]byte, encrypted bool) (*Ring, error) {
	data, err := NewKey()
	if err != nil {
		return nil, err
	}
	r := &Ring{path: path, keys: ringKeys{Encrypted: encrypted, Seal: roots, Store: [][]byte{data}}, master: m}
	if err := r.rekey(); err != nil {
		return nil, err
	}
	b, err := r.encode()
	if err != nil {
		return nil, err
	}
	if err := r.disk.create(path, b); err != nil {
		return nil, fmt.Errorf("create key ring: %w", err)
	}
	return OpenRing(path, m) // another process may have been first
}

// OpenRing opens the key ring at path with m. Without a file the error is fs.ErrNotExist; with another master, ErrMaster.
func OpenRing(path string, m Master) (*Ring, error) {
	b, err := readPrivate(path, maxRing)
	if err != nil {
		return nil, err
	}
	return OpenRingCopy(b, path, m)
}

// OpenRingCopy is OpenRing of a key ring file's content b, as a backup keeps it. path is where it is, or belongs.
func OpenRingCopy(b []byte, path string, m Master) (*Ring, error) {
	f, err := parseRing(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	r := &Ring{path: path, file: f, master: m}
	for i, s := range f.Slots {
		if r.key = s.open(m); r.key != nil {
			r.slot = i
			break
		}
	}
	if r.key == nil {
		return nil, fmt.Errorf("%w: %s opens with %s, not with %s", ErrMaster, path, f.masters(), m.describe())
	}
	plain, err := open(r.key, f.Keys, []byte("bulkhead keyring v1 keys"))
	if err == nil {
		err = json.Unmarshal(plain, &r.keys)
	}
	if err == nil && (len(r.keys.Seal) == 0 || len(r.keys.Store) == 0) {
		err = errors.New("no keys")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", path, ErrRing, err)
	}
	return r, nil
}

func parseRing(b []byte) (ringFile, error) {
	var f ringFile
	if err := json.Unmarshal(b, &f); err != nil {
		return f, fmt.Errorf("%w: %w", ErrRing, err)
	}
	if f.Version > ringVersion {
		return f, fmt.Errorf("key ring has version %d, this program knows up to %d; use a newer program", f.Version, ringVersion)
	}
	if f.Version < 1 || len(f.Slots) == 0 || len(f.Slots) > maxSlots {
		return f, fmt.Errorf("%w: version %d with %d slots", ErrRing, f.Version, len(f.Slots))
	}
	for i, s := range f.Slots {
		a := s.Argon2
		// The bounds keep a garbled file from taking all memory or all time.
		ok := s.Kind == kindKey && a == nil || s.Kind == kindPassphrase && a != nil && a.Time >= 1 && a.Time <= 16 && a.Threads >= 1 &&
			a.Threads <= 16 && a.Memory >= 8<<10 && a.Memory <= 1<<20 && len(a.Salt) >= 16 && len(a.Salt) <= 64
		if !ok {
			return f, fmt.Errorf("%w: slot %d is not one of this version", ErrRing, i+1)
		}
	}
	return f, nil
}

// masters names what opens the ring.
func (f ringFile) masters() string {
	var names []string
	for _, s := range f.Slots {
		name := "a passphrase"
		if s.Kind == kindKey {
			name = "key " + s.ID
		}
		names = append(names, name)
	}
	return strings.Join(names, " or ")
}

func (r *Ring) newSlot(m Master, ringKey []byte) (slot, error) {
	s := slot{Kind: kindKey}
	if m.key != nil {
		s.ID = m.id()
	} else {
		a := r.cost
		if a.Time == 0 {
			a = argon2id{Time: 3, Memory: 64 << 10, Threads: 4}
		}
		a.Salt = make([]byte, 16)
		if _, err := rand.Read(a.Salt); err != nil {
			return s, err
		}
		s.Kind, s.Argon2 = kindPassphrase, &a
	}
	k, err := s.wrapKey(m)
	if err != nil {
		return s, err
	}
	s.Wrapped, err = encrypt(k, ringKey, s.aad())
	return s, err
}

// open returns the ring's key, or nil if m does not open the slot.
func (s slot) open(m Master) []byte {
	if (s.Kind == kindKey) != (m.key != nil) || s.Kind == kindKey && s.ID != m.id() {
		return nil
	}
	k, err := s.wrapKey(m)
	if err != nil {
		return nil
	}
	ringKey, err := open(k, s.Wrapped, s.aad())
	if err != nil || len(ringKey) != KeySize {
		return nil
	}
	return ringKey
}

func (s slot) wrapKey(m Master) ([]byte, error) {
	if s.Kind == kindPassphrase {
		return argon2.IDKey(m.passphrase, s.Argon2.Salt, s.Argon2.Time, s.Argon2.Memory, s.Argon2.Threads, KeySize), nil
	}
	return hkdf.Key(sha256.New, m.key, nil, "bulkhead keyring v1 slot", KeySize)
}

func (s slot) aad() []byte {
	b := fmt.Appendf(nil, "bulkhead keyring v1 slot %s %s", s.Kind, s.ID)
	if a := s.Argon2; a != nil {
		b = fmt.Appendf(b, " %x %d %d %d", a.Salt, a.Time, a.Memory, a.Threads)
	}
	return b
}

// rekey gives the ring a new key of its own, which the present master alone opens. The caller writes the file.
func (r *Ring) rekey() error {
	key, err := NewKey()
	if err != nil {
		return err
	}
	s, err := r.newSlot(r.master, key)
	if err != nil {
		return err
	}
	r.key, r.slot, r.file.Slots = key, 0, []slot{s}
	return nil
}

func (r *Ring) encode() ([]byte, error) {
	plain, err := json.Marshal(r.keys)
	if err != nil {
		return nil, err
	}
	r.file.Version = ringVersion
	if r.file.Keys, err = encrypt(r.key, plain, []byte("bulkhead keyring v1 keys")); err != nil {
		return nil, err
	}
	b, err := json.MarshalIndent(r.file, "", "  ")
	return append(b, '\n'), err
}

func (r *Ring) save() error {
	b, err := r.encode()
	if err == nil {
		err = r.disk.replace(r.path, b)
	}
	if err != nil {
		return fmt.Errorf("write key ring: %w", err)
	}
	return nil
}

// Sealer returns a Sealer with the ring's sealing keys.
func (r *Ring) Sealer() (*Sealer, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return New(r.keys.Seal[0], r.keys.Seal[1:]...)
}

// SealKeys returns the sealing keys, one after another: what a key file of ReadOrCreateKeys holds, and what a backup needs to be opened with.
func (r *Ring) SealKeys() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Join(r.keys.Seal, nil)
}

// StoreKeys returns the store's data keys; the first makes new files.
func (r *Ring) StoreKeys() [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	var keys [][]byte
	for _, k := range r.keys.Store {
		keys = append(keys, bytes.Clone(k))
	}
	return keys
}

// Encrypted tells whether the store's files are to be encrypted ones.
func (r *Ring) Encrypted() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.keys.Encrypted
}

// SetEncrypted notes that the store's files are encrypted from now on.
func (r *Ring) SetEncrypted() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys.Encrypted = true
	return r.save()
}

func gcm(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func encrypt(key, plain, aad []byte) ([]byte, error) {
	a, err := gcm(key)
	if err != nil {
		return nil, err
	}
	return a.Seal(nil, nil, plain, aad), nil
}

func open(key, sealed, aad []byte) ([]byte, error) {
	a, err := gcm(key)
	if err != nil {
		return nil, err
	}
	return a.Open(nil, nil, sealed, aad)
}

// Exists tells whether there is a key ring at path.
func Exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// String implements fmt.Stringer.
func (r *Ring) String() string { return redacted }

// Format implements fmt.Formatter: no verb shows a key.
func (r *Ring) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) } //nolint:errcheck // nothing to do about it

// LogValue implements slog.LogValuer.
func (r *Ring) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON implements json.Marshaler.
func (r *Ring) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
