package app

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Run is what DIR/run.json says of a running platform. It holds addresses, never a secret.
type Run struct {
	PID       int    `json:"pid"`
	FrontDoor string `json:"frontDoor"` // host:port, HTTPS
	Proxy     string `json:"proxy"`     // host:port
	Identity  string `json:"identity"`  // host:port, plain HTTP
	Admin     string `json:"admin"`     // path of the admin socket
	Suffix    string `json:"suffix"`
	// CosmosEmulator are the emulator account's endpoints, with commas between them; none unless --cosmos-emulator was given.
	CosmosEmulator string `json:"cosmosEmulator,omitempty"`
	// Honeypot is where the decoy listens, ssh://... and telnet://... with a comma between them; none unless it was wanted.
	Honeypot       string `json:"honeypot,omitempty"`
	Root           string `json:"root"`   // file: the CA's root certificate
	Bundle         string `json:"bundle"` // file: the system's roots and ours
	TenantID       string `json:"tenantId"`
	SubscriptionID string `json:"subscriptionId"`
	AdminAppID     string `json:"administratorAppId"`
}

// maxSocketPath is the shortest limit among the systems we build for (macOS: 104 bytes with the final zero).
const maxSocketPath = 100

// SocketPath is where the platform with that data folder listens for its operator. A folder too deep for a socket's name gets one in the
// temporary folder, in a directory of the user's own.
func SocketPath(data string) string {
	p := filepath.Join(data, "admin.sock")
	if len(p) <= maxSocketPath {
		return p
	}
	sum := sha256.Sum256([]byte(data))
	return filepath.Join(os.TempDir(), fmt.Sprintf("bulkhead-%d", os.Getuid()), hex.EncodeToString(sum[:8])+".sock")
}

// ReadRun reads DIR/run.json.
func ReadRun(data string) (Run, error) {
	var r Run
	b, err := os.ReadFile(filepath.Join(data, "run.json"))
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("run.json: %w", err)
	}
	return r, nil
}

func writeRun(data string, r Run) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(data, "run.json")
	if err := os.WriteFile(path+".new", append(b, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
