package harness

import (
	"os"
	"path/filepath"
	"syscall"
)

// giveTo makes dir the user's own, with a copy of the binary in it: the source tree may be closed to them.
func (p *Platform) giveTo(dir string, user int) error {
	b, err := os.ReadFile(p.bin)
	if err != nil {
		return err
	}
	p.bin = filepath.Join(dir, "bulkhead")
	if err := os.WriteFile(p.bin, b, 0o755); err != nil {
		return err
	}
	// testing's own temporary folder lets others no further.
	if up := filepath.Dir(dir); up != filepath.Clean(os.TempDir()) {
		if err := os.Chmod(up, 0o711); err != nil {
			return err
		}
	}
	return os.Chown(dir, user, user)
}

// credential is who the platform's processes run as; nil for the test's own user.
func (p *Platform) credential() *syscall.Credential {
	if p.options.User == 0 {
		return nil
	}
	id := uint32(p.options.User)
	return &syscall.Credential{Uid: id, Gid: id}
}
