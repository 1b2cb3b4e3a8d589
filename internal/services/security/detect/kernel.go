package detect

import (
	"fmt"
	"strings"
)

func kernelAnalytics() []commandAnalytic {
	return []commandAnalytic{
		{"kernel-module", []string{"insmod", "modprobe", "kmod", "rmmod", "depmod", "kexec"}, onModule},
		{"certificates", []string{"update-ca-certificates", "update-ca-trust", "trust", "certutil"}, onCertificates},
		{"extension", []string{"google-chrome", "chromium", "chromium-browser", "firefox"}, onExtension},
		{"editor-hook", []string{"git"}, onGitSettings},
		{"packages", []string{"pip", "pip3", "npm", "gem", "cpan"}, onPackageInstall},
	}
}

// onModule: code is loaded into the kernel. From elsewhere than where the system keeps its modules it is nobody's driver.
func onModule(s *step, c *Command) {
	if managed(s.process) || s.process.under&underBuild != 0 {
		return
	}
	names := c.operands()
	if c.Name == "kmod" {
		if len(names) < 2 || names[0] != "insmod" && names[0] != "load" {
			return
		}
		names = names[1:]
	}
	if len(names) == 0 || c.has("-V", "--version", "-n", "--show-depends", "-c") {
		return
	}
	name := names[0]
	switch {
	case c.Name == "insmod" || c.Name == "kmod":
		s.tell(&moduleLoaded, 0.7, name, fmt.Sprintf("the module %s was loaded into the kernel", name))
	case c.Name == "kexec" && (c.flag('l') || c.flag('e')):
		s.tell(&moduleLoaded, 0.6, name, "another kernel was started")
	case c.Name == "modprobe" && (c.flag('r') || c.has("--remove")), c.Name == "rmmod":
		s.tell(&moduleChanged, 0.3, name, fmt.Sprintf("the module %s was taken out of the kernel", name))
	case c.Name == "modprobe" && name == "msr":
		s.tell(&minerTuned, 0.4, "msr", "the processor's registers were opened, as miners want it")
	case c.Name == "modprobe":
		s.tell(&moduleChanged, 0.3, name, fmt.Sprintf("the module %s was loaded by hand", name))
	}
}

// onCertificates: whom the machine believes is changed.
func onCertificates(s *step, c *Command) {
	if s.process.Parent != nil && expected(s.process.Parent) {
		return
	}
	switch c.Name {
	case "update-ca-certificates":
		if c.has("--fresh", "-f") || len(c.Args) == 0 {
			s.tell(&certificatesMade, 0.3, "", "the certificates that are trusted were made anew by hand")
		}
	case "update-ca-trust":
		s.tell(&certificatesMade, 0.3, "", "the certificates that are trusted were made anew by hand")
	case "trust":
		if c.arg(0) == "anchor" {
			s.tell(&certificateAdded, 0.6, "", "a certificate was made one that is trusted")
		}
	case "certutil":
		if c.flag('A') && strings.Contains(strings.Join(c.Args, " "), "C") {
			s.tell(&certificateAdded, 0.5, "", "a certificate was made one that is trusted")
		}
	}
}

// onExtension: a browser is started with an extension that is no store's.
func onExtension(s *step, c *Command) {
	if t := strings.Join(c.Args, " "); strings.Contains(t, "--load-extension") || strings.Contains(t, "-install-global-extension") || strings.Contains(t, "--remote-debugging-port") {
		s.tell(&extensionLoaded, 0.5, "", "a browser was started with an extension or a door for others")
	}
}

// onGitSettings: git is told to run something.
func onGitSettings(s *step, c *Command) {
	if c.arg(0) != "config" || expected(s.process.orParent()) {
		return
	}
	for _, a := range c.Args {
		switch lower(a) {
		case "core.hookspath", "core.fsmonitor", "core.sshcommand":
			s.tell(&gitHookChanged, 0.3, a, "git was told to run something: "+a)
		}
	}
}

// orParent is the process that started one, or itself.
func (p *Process) orParent() *Process {
	if p.Parent != nil {
		return p.Parent
	}
	return p
}

// onPackageInstall: a package is installed from an address rather than a registry.
func onPackageInstall(s *step, c *Command) {
	if !c.has("install", "i", "add") || s.process.Parent != nil && expected(s.process.Parent) {
		return
	}
	for _, o := range c.operands() {
		if tempDir(o) || strings.HasPrefix(o, "http://") {
			s.tell(&packageFromTemp, 0.3, o, "a package was installed from "+o)
			return
		}
	}
}
