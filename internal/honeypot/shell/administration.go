package shell

import (
	"fmt"
	"strings"
)

func sysctl(p *program) int {
	for _, a := range p.parse("p").rest {
		if name, value, ok := strings.Cut(a, "="); ok {
			if p.user().UID != 0 {
				return p.fail("permission denied on key \"%s\"", printable(name))
			}
			p.print("%s = %s\n", name, value)
		}
	}
	return 0
}

func systemctl(p *program) int {
	o := p.parse("")
	unit := p.cfg.Persona.Service.Name
	for _, r := range o.rest {
		if r == "status" {
			p.print("● %s.service\n     Loaded: loaded (/lib/systemd/system/%s.service; enabled; vendor preset: enabled)\n     Active: active (running) since %s UTC\n", unit, unit, p.cfg.Persona.Boot.Format("Mon 2006-01-02 15:04:05"))
			return 0
		}
	}
	if len(o.rest) > 1 && p.user().UID != 0 {
		fmt.Fprintf(p.io.err, "Failed to %s %s.service: Interactive authentication required.\n", printable(o.rest[0]), printable(o.rest[1]))
		return 1
	}
	return 0
}

func apt(p *program) int {
	o := p.parse("o")
	if len(o.rest) == 0 {
		p.print("apt 2.4.12 (amd64)\n")
		return 0
	}
	if (o.rest[0] == "install" || o.rest[0] == "update" || o.rest[0] == "remove" || o.rest[0] == "upgrade") && p.user().UID != 0 {
		fmt.Fprintln(p.io.err, "E: Could not open lock file /var/lib/dpkg/lock-frontend - open (13: Permission denied)\nE: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), are you root?")
		return 100
	}
	switch o.rest[0] {
	case "update":
		p.print("Reading package lists... Done\nBuilding dependency tree... Done\nReading state information... Done\nAll packages are up to date.\n")
	case "install":
		p.print("Reading package lists... Done\nBuilding dependency tree... Done\nReading state information... Done\n")
		for _, name := range o.rest[1:] {
			fmt.Fprintf(p.io.err, "E: Unable to locate package %s\n", printable(name))
		}
		return 100
	}
	return 0
}

func dpkg(p *program) int {
	if !p.parse("").is("l", "list", "L") {
		return 0
	}
	p.print("Desired=Unknown/Install/Remove/Purge/Hold\n||/ Name                 Version              Architecture Description\n+++-====================-====================-============-=================================\n")
	for _, k := range p.cfg.Persona.Packages {
		p.print("ii  %-20s %-20s amd64        %s\n", k.Name, k.Version, k.About)
	}
	return 0
}

func getconf(p *program) int {
	if len(p.args) > 1 {
		switch p.args[1] {
		case "LONG_BIT":
			p.line("64")
		case "_NPROCESSORS_ONLN", "_NPROCESSORS_CONF":
			return nproc(p)
		case "PAGESIZE", "PAGE_SIZE":
			p.line("4096")
		}
	}
	return 0
}

func vi(p *program) int {
	if p.cfg.Terminal {
		p.print("Vim: Warning: Output is not to a terminal\n")
	}
	return 1
}

func firewall(p *program) int {
	if p.user().UID != 0 {
		p.print("Fatal: can't open lock file /run/xtables.lock: Permission denied\n")
		return 4
	}
	if p.parse("t").is("L", "S") {
		p.print("Chain INPUT (policy ACCEPT)\ntarget     prot opt source               destination         \n\nChain FORWARD (policy ACCEPT)\ntarget     prot opt source               destination         \n\nChain OUTPUT (policy ACCEPT)\ntarget     prot opt source               destination         \n")
	}
	return 0
}

func reboot(p *program) int {
	if p.user().UID != 0 {
		fmt.Fprintln(p.io.err, "Failed to set wall message, ignoring: Interactive authentication required.")
		return 1
	}
	p.Shell.ctl = exiting
	return 0
}

func crontab(p *program) int {
	o := p.parse("u")
	at := "/var/spool/cron/crontabs/" + p.account.Name
	switch {
	case o.is("l"):
		b, err := p.cfg.FS.Read(root, at, maxPipe)
		if err != nil {
			fmt.Fprintf(p.io.err, "no crontab for %s\n", p.account.Name)
			return 1
		}
		p.write(b)
	case o.is("r"):
		_ = p.cfg.FS.Remove(root, at)
	case o.is("e"):
		return vi(p)
	default:
		in, status := p.inputs(o.rest)
		for _, f := range in {
			_ = p.cfg.FS.Write(root, at, f.data, false, 0o600)
			p.cfg.Observer.Kept("crontab", at, f.data)
		}
		return status
	}
	return 0
}

func screen(p *program) int {
	o := p.parse("Sxrp")
	if o.is("ls", "list") || len(o.rest) == 0 {
		p.print("No Sockets found in /run/screen/S-%s.\n", p.account.Name)
		return 1
	}
	return p.again(o.rest, strings.NewReader(""))
}
