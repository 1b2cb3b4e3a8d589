package web

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// command is what starts a site.
type command struct {
	path string
	args []string
}

// startNames are looked for in a package when no command is configured.
var startNames = []string{"startup", "startup.sh", "run", "run.sh", "app"}

// startCommand finds how a package is started: by siteConfig.appCommandLine, run by the shell as App Service on Linux does, or by an executable in the package.
func startCommand(d *desired, dir string) (command, error) {
	if line := strings.TrimSpace(d.config.text("appCommandLine")); line != "" {
		if runtime.GOOS == "windows" {
			return command{"cmd", []string{"/C", line}}, nil
		}
		return command{"/bin/sh", []string{"-c", line}}, nil
	}
	for _, name := range startNames {
		if runtime.GOOS == "windows" {
			name += ".exe"
		}
		path := filepath.Join(dir, name)
		st, err := os.Stat(path)
		if err != nil || !st.Mode().IsRegular() {
			continue
		}
		if runtime.GOOS == "windows" || st.Mode().Perm()&0o111 != 0 {
			return command{path: path}, nil
		}
		if strings.HasSuffix(name, ".sh") {
			return command{"/bin/sh", []string{path}}, nil
		}
		// Zips that were made on Windows have no executable bits; the file's first bytes tell.
		if runnable(path) && os.Chmod(path, 0o700) == nil {
			return command{path: path}, nil
		}
	}
	return command{}, fault.New(fault.Invalid, "NoStartCommand",
		"There is no start command: set siteConfig.appCommandLine, or put an executable named %s into the package.", strings.Join(startNames, ", "))
}

// runnable tells whether a file is a script that names its interpreter, or a Linux program.
func runnable(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var b [4]byte
	n, _ := f.Read(b[:])
	return bytes.HasPrefix(b[:n], []byte("#!")) || bytes.Equal(b[:n], []byte("\x7fELF"))
}

// packageSetting names where a site's package is, instead of a pushed one.
const packageSetting = "WEBSITE_RUN_FROM_PACKAGE"

// packageDir is the folder a site runs in: its unpacked package, or the folder the setting WEBSITE_RUN_FROM_PACKAGE names.
func (s *Service) packageDir(d *desired, settings map[string]string) (string, error) {
	var from string
	for name, v := range settings {
		if strings.EqualFold(name, packageSetting) {
			from = strings.TrimSpace(v)
		}
	}
	switch {
	case from != "" && from != "0" && from != "1":
		return s.namedPackage(d, from)
	case d.deployed.Hash == "":
		return "", fault.New(fault.Invalid, "NoPackage", "The site has no content: push a zip to its scm host (/api/zipdeploy), or set %s to a folder or zip below an allowed root.", packageSetting)
	}
	dir, err := s.packages.unpack(d.site.GUID, d.deployed.Hash, s.packages.blob(d.deployed.Hash))
	if err == nil {
		s.packages.prune(d.site.GUID, d.deployed.Hash)
	}
	return dir, err
}

// namedPackage opens a package on this machine, if the operator allowed its place.
func (s *Service) namedPackage(d *desired, from string) (string, error) {
	if strings.Contains(from, "://") {
		return "", fault.New(fault.NotImplemented, "NotImplemented", "%s as a URL is not implemented by this platform yet.", packageSetting)
	}
	refused := fault.New(fault.Forbidden, "PackageNotAllowed", "%s names a path that does not exist below a package root of this platform (option packageRoots).", packageSetting)
	if !filepath.IsAbs(from) {
		return "", refused
	}
	real, err := filepath.EvalSymlinks(from)
	if err != nil || !s.allowedPackage(real) {
		return "", refused
	}
	st, err := os.Stat(real)
	switch {
	case err != nil:
		return "", refused
	case st.IsDir():
		return real, nil
	}
	hash, err := hashFile(real)
	if err != nil {
		return "", err
	}
	dir, err := s.packages.unpack(d.site.GUID, hash, real)
	if err == nil {
		s.packages.prune(d.site.GUID, hash)
	}
	return dir, err
}

func (s *Service) allowedPackage(real string) bool {
	for _, root := range s.deps.PackageRoots {
		if root, err := filepath.EvalSymlinks(root); err == nil {
			if rel, err := filepath.Rel(root, real); err == nil && filepath.IsLocal(rel) {
				return true
			}
		}
	}
	return false
}

// freePort asks the system for a port on loopback that nothing uses now.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
