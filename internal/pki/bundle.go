package pki

import (
	"os"
	"path/filepath"
)

// bundleFile is the system's roots with ours, for clients whose CA variable replaces the system's list.
const bundleFile = "bundle.pem"

// systemBundles are where Linux distributions and the BSDs keep their roots.
var systemBundles = []string{
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem",
	"/etc/ssl/cert.pem",
}

// SystemBundles are the files of this system that hold its roots, most preferred first.
func SystemBundles() []string {
	var found []string
	for _, p := range systemBundles {
		if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() {
			found = append(found, p)
		}
	}
	return found
}

// WriteBundle writes dir's bundle file, the system's roots followed by ours, and returns its path. Without a system list it holds our root alone.
func (a *Authority) WriteBundle(dir string) (string, error) {
	var data []byte
	for _, p := range systemBundles {
		if b, err := os.ReadFile(p); err == nil {
			data = append(b, '\n')
			break
		}
	}
	path := filepath.Join(dir, bundleFile)
	return path, writeFile(path, append(data, encode(a.Root.Raw)...), 0o644)
}
