package seal

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	// CredentialName is the name of the systemd credential that holds a master key.
	CredentialName = "bulkhead-master-key"
	// minPassphrase is the shortest passphrase taken, in bytes.
	minPassphrase = 8
	maxPassphrase = 1024
)

// Master is what opens a key ring: a key of KeySize bytes or a passphrase. Prints as redacted.
type Master struct {
	key        []byte
	passphrase []byte
}

// MasterKey returns a master that is a key of KeySize bytes.
func MasterKey(key []byte) (Master, error) {
	if len(key) != KeySize {
		return Master{}, fmt.Errorf("a master key has %d bytes, not %d", KeySize, len(key))
	}
	return Master{key: bytes.Clone(key)}, nil
}

// Passphrase returns a master that is a passphrase; one line end after it does not count.
func Passphrase(p []byte) (Master, error) {
	p = bytes.TrimSuffix(bytes.TrimSuffix(p, []byte("\n")), []byte("\r"))
	if len(p) < minPassphrase || len(p) > maxPassphrase {
		return Master{}, fmt.Errorf("the passphrase has %d bytes, %d to %d are allowed", len(p), minPassphrase, maxPassphrase)
	}
	return Master{passphrase: bytes.Clone(p)}, nil
}

// describe names the master without telling it.
func (m Master) describe() string {
	if m.key == nil {
		return "a passphrase"
	}
	return "key " + m.id()
}

// id names a master key; it is no secret.
func (m Master) id() string {
	b, err := hkdf.Key(sha256.New, m.key, nil, "bulkhead keyring v1 master id", idSize)
	if err != nil {
		panic("seal: hkdf refused: " + err.Error()) // it refuses only absurd lengths
	}
	return hex.EncodeToString(b)
}

// String implements fmt.Stringer.
func (m Master) String() string { return redacted }

// Format implements fmt.Formatter: no verb shows a key.
func (m Master) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) } //nolint:errcheck // nothing to do about it

// LogValue implements slog.LogValuer.
func (m Master) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON implements json.Marshaler.
func (m Master) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// Source is where a master comes from. The secret itself is never part of it, so it may stand on a command line.
type Source struct{ kind, arg string }

const (
	sourceFile           = "file"
	sourceCredential     = "credential"
	sourcePassphraseFile = "passphrase-file"
	sourcePassphraseFD   = "passphrase-fd"
)

// ParseSource reads a source:
//
//	"" or file            the file master.key of the data folder, made if it is not there
//	file:PATH             a file with a key of KeySize bytes, readable by its owner alone
//	credential            the systemd credential bulkhead-master-key, a key of KeySize bytes
//	passphrase-file:PATH  a file that holds a passphrase, readable by its owner alone
//	passphrase-fd:N       an open file descriptor that a passphrase is read from, to its end
func ParseSource(s string) (Source, error) {
	kind, arg, _ := strings.Cut(s, ":")
	switch {
	case s == "", kind == sourceFile, kind == sourceCredential && arg == "", kind == sourcePassphraseFile && arg != "":
	case kind == sourcePassphraseFD:
		if n, err := strconv.Atoi(arg); err != nil || n < 0 {
			return Source{}, fmt.Errorf("master key source %q: %q is no file descriptor", s, arg)
		}
	default:
		return Source{}, fmt.Errorf("master key source %q: want file, file:PATH, credential, passphrase-file:PATH or passphrase-fd:N", s)
	}
	if kind == "" {
		kind = sourceFile
	}
	return Source{kind, arg}, nil
}

// File is the path of a source that is a key file (def if it names none), else "". Such a key is made by us and replaced by rotation.
func (s Source) File(def string) string {
	switch {
	case s.kind != sourceFile && s.kind != "":
		return ""
	case s.arg != "":
		return s.arg
	}
	return def
}

// Read reads the master. def is the path of a key file whose source names none. A file that is not there is fs.ErrNotExist.
func (s Source) Read(def string) (Master, error) {
	switch s.kind {
	case sourceCredential:
		dir := os.Getenv("CREDENTIALS_DIRECTORY")
		if dir == "" {
			return Master{}, errors.New("no systemd credentials: CREDENTIALS_DIRECTORY is not set; use LoadCredential=" + CredentialName + ":PATH in the unit")
		}
		b, err := os.ReadFile(filepath.Join(dir, CredentialName))
		if err != nil {
			return Master{}, fmt.Errorf("read systemd credential: %w", err)
		}
		return MasterKey(b)
	case sourcePassphraseFile:
		b, err := readPrivate(s.arg, maxPassphrase+2)
		if err != nil {
			return Master{}, fmt.Errorf("read passphrase: %w", err)
		}
		return Passphrase(b)
	case sourcePassphraseFD:
		n, err := strconv.Atoi(s.arg)
		if err != nil {
			return Master{}, err
		}
		f := os.NewFile(uintptr(n), "passphrase")
		if f == nil {
			return Master{}, fmt.Errorf("read passphrase: %d is no file descriptor", n)
		}
		defer f.Close()
		b, err := io.ReadAll(io.LimitReader(f, maxPassphrase+3))
		if err != nil {
			return Master{}, fmt.Errorf("read passphrase from file descriptor %d: %w", n, err)
		}
		return Passphrase(b)
	}
	keys, err := readKeys(s.File(def))
	if err != nil {
		return Master{}, err
	}
	return MasterKey(keys[0])
}

// Words returns the passphrase, or nil if the master is a key. It is for handing it to the platform on its admin socket, and nowhere else.
func (m Master) Words() []byte { return bytes.Clone(m.passphrase) }
