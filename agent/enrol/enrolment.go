package enrol

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Enrolment is what a folder says of the machine.
type Enrolment struct {
	MachineID string `json:"machineId"` // ARM id
	TenantID  string `json:"tenantId"`
	ClientID  string `json:"clientId"` // of the machine's identity
	Platform  string `json:"platform"` // host:port of the front door

	dir string
	key *ecdsa.PrivateKey
}

// The files of a folder.
const (
	fileAgent = "agent.json"
	fileKey   = "key.pem"
	fileRoot  = "root.pem"
	dirQueue  = "queue"
)

// ErrNotEnrolled is answered for a folder without an enrolment.
var ErrNotEnrolled = errors.New("this machine isn't enrolled: run bulkhead agent enrol")

// QueueDir is where the queue of an agent with this folder is.
func QueueDir(dir string) string { return filepath.Join(dir, dirQueue) }

// Load reads a folder.
func Load(dir string) (*Enrolment, error) {
	b, err := os.ReadFile(filepath.Join(dir, fileAgent))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotEnrolled
	}
	if err != nil {
		return nil, err
	}
	e := &Enrolment{dir: dir}
	if err := json.Unmarshal(b, e); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, fileAgent), err)
	}
	e.key, err = loadKey(dir)
	return e, err
}

// Save completes an enrolment: from here on Load finds it. The key is there already.
func (e *Enrolment) Save(dir string, root []byte) error {
	b, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	if err := write(dir, fileRoot, root); err != nil {
		return err
	}
	return write(dir, fileAgent, append(b, '\n'))
}

// Key is the key of a folder, made if there is none.
func Key(dir string) (*ecdsa.PrivateKey, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	key, err := loadKey(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, write(dir, fileKey, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func loadKey(dir string) (*ecdsa.PrivateKey, error) {
	name := filepath.Join(dir, fileKey)
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, fmt.Errorf("%s holds no key", name)
	}
	any, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := any.(*ecdsa.PrivateKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("%s holds no key of this agent's", name)
	}
	return key, nil
}

// PublicKey is the public half as the platform takes it: base64 of its SubjectPublicKeyInfo.
func PublicKey(key *ecdsa.PrivateKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	return base64.StdEncoding.EncodeToString(der), err
}

// write writes a file that nobody else may read, durably, so that a crash leaves the old one or the new one.
func write(dir, name string, b []byte) error {
	f, err := os.CreateTemp(dir, name+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(b) // its mode is 0600 from the beginning
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, name))
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
