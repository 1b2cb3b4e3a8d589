package persona

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/honeypot/memfs"
)

// Tree is what the machine's disk holds. commands are the programs in /usr/bin and, where they begin with a slash, elsewhere.
func (p *Persona) Tree(commands []string, now func() time.Time) *memfs.Tree {
	b := &builder{p: p, nodes: map[string]*memfs.Node{}, rand: rand.New(rand.NewChaCha8(p.SeedBytes()))}
	b.folders()
	b.etc()
	b.proc(now)
	b.programs(commands)
	b.homes()
	b.logs()
	return memfs.NewTree(b.nodes, p.Made)
}

type builder struct {
	p     *Persona
	nodes map[string]*memfs.Node
	rand  *rand.Rand
}

func (b *builder) at() time.Time { return b.p.Made.Add(time.Duration(b.rand.IntN(3600)) * time.Second) }

func (b *builder) file(name string, mode fs.FileMode, text string) {
	b.nodes[name] = &memfs.Node{Mode: mode, Modified: b.at(), Data: []byte(text)}
}

func (b *builder) made(name string, text func() string) {
	b.nodes[name] = &memfs.Node{Mode: 0o444, Modified: b.p.Boot, Make: func() []byte { return []byte(text()) }}
}

func (b *builder) dir(name string, mode fs.FileMode) *memfs.Node {
	n := &memfs.Node{Mode: fs.ModeDir | mode, Modified: b.at()}
	b.nodes[name] = n
	return n
}

func (b *builder) link(name, target string) {
	b.nodes[name] = &memfs.Node{Mode: fs.ModeSymlink | 0o777, Modified: b.p.Made, Target: target}
}

func (b *builder) folders() {
	for _, d := range strings.Fields("/ /boot /dev /dev/pts /etc /etc/cron.d /etc/cron.daily /etc/init.d /etc/ssh /home /media /mnt /opt /run /run/sshd /srv /sys /usr /usr/bin /usr/games " +
		"/usr/include /usr/lib /usr/lib64 /usr/local /usr/local/bin /usr/local/sbin /usr/sbin /usr/share /usr/src /var /var/backups /var/cache /var/lib /var/lib/dpkg /var/local /var/log /var/mail /var/opt /var/spool /var/spool/cron /var/www") {
		b.dir(d, 0o755)
	}
	b.dir("/root", 0o700)
	b.dir("/proc", 0o555)
	b.dir("/var/spool/cron/crontabs", 0o730|fs.ModeSticky)
	for _, d := range []string{"/tmp", "/var/tmp", "/dev/shm", "/run/lock"} {
		b.dir(d, 0o777|fs.ModeSticky)
	}
	for _, l := range []string{"bin", "sbin", "lib", "lib64"} {
		b.link("/"+l, "usr/"+l)
	}
	b.link("/var/run", "/run")
	b.link("/var/lock", "/run/lock")
	b.link("/vmlinuz", "boot/vmlinuz-"+b.p.System.Kernel)
	b.file("/boot/vmlinuz-"+b.p.System.Kernel, 0o600, string(b.binary(4096)))
	b.file("/boot/config-"+b.p.System.Kernel, 0o644, "CONFIG_CC_VERSION_TEXT=\""+b.p.System.Compiler+"\"\nCONFIG_64BIT=y\nCONFIG_X86_64=y\nCONFIG_X86=y\n")
	device := func(name string, n memfs.Node) {
		n.Mode, n.Modified = 0o666|fs.ModeDevice|fs.ModeCharDevice, b.p.Boot
		b.nodes[name] = &n
	}
	nothing := func(int) []byte { return nil }
	device("/dev/null", memfs.Node{Sink: true, Source: nothing})
	device("/dev/tty", memfs.Node{Sink: true, Source: nothing})
	device("/dev/full", memfs.Node{Source: nothing})
	device("/dev/zero", memfs.Node{Sink: true, Source: func(n int) []byte { return make([]byte, n) }})
	for _, d := range []string{"/dev/urandom", "/dev/random"} {
		device(d, memfs.Node{Sink: true, Source: func(n int) []byte {
			out := make([]byte, n)
			for i := range out {
				out[i] = byte(rand.Uint32())
			}
			return out
		}})
	}
	b.nodes["/dev/sda"] = &memfs.Node{Mode: fs.ModeDevice | 0o660, GID: 6, Modified: b.p.Boot}
	b.nodes["/dev/sda1"] = &memfs.Node{Mode: fs.ModeDevice | 0o660, GID: 6, Modified: b.p.Boot}
}

// Passwd and Group are /etc/passwd and /etc/group.
func (p *Persona) Passwd() string {
	var s strings.Builder
	for _, u := range p.Users {
		fmt.Fprintf(&s, "%s:x:%d:%d:%s:%s:%s\n", u.Name, u.UID, u.GID, u.Gecos, u.Home, u.Shell)
	}
	return s.String()
}

// Group is /etc/group.
func (p *Persona) Group() string {
	var s strings.Builder
	s.WriteString("root:x:0:\ndaemon:x:1:\nbin:x:2:\nsys:x:3:\nadm:x:4:syslog\ntty:x:5:\ndisk:x:6:\nlp:x:7:\nmail:x:8:\nnews:x:9:\nuucp:x:10:\nman:x:12:\nproxy:x:13:\nsudo:x:27:" +
		p.Users[len(p.Users)-2].Name + "\nwww-data:x:33:\nbackup:x:34:\nshadow:x:42:\nutmp:x:43:\nusers:x:100:\nnogroup:x:65534:\n")
	for _, u := range p.Users {
		if u.GID > 105 && u.GID != 65534 {
			fmt.Fprintf(&s, "%s:x:%d:\n", u.Name, u.GID)
		}
	}
	return s.String()
}

func (b *builder) etc() {
	p := b.p
	var shadow strings.Builder
	day := int(p.Made.Unix() / 86400)
	for _, u := range p.Users {
		hash := u.Hash
		if hash == "" {
			hash = "*"
		}
		fmt.Fprintf(&shadow, "%s:%s:%d:0:99999:7:::\n", u.Name, hash, day)
	}
	b.file("/etc/passwd", 0o644, p.Passwd())
	b.file("/etc/group", 0o644, p.Group())
	b.file("/etc/shadow", 0o640, shadow.String())
	b.nodes["/etc/shadow"].GID = 42
	b.file("/etc/hostname", 0o644, p.Hostname+"\n")
	b.file("/etc/hosts", 0o644, "127.0.0.1\tlocalhost\n127.0.1.1\t"+p.Hostname+"\n\n::1     ip6-localhost ip6-loopback\nff02::1 ip6-allnodes\nff02::2 ip6-allrouters\n")
	b.file("/etc/machine-id", 0o444, p.Machine+"\n")
	home := map[string]string{"ubuntu": "https://www.ubuntu.com/", "debian": "https://www.debian.org/"}[p.System.ID]
	b.file("/usr/lib/os-release", 0o644, fmt.Sprintf("PRETTY_NAME=\"%s\"\nNAME=\"%s\"\nVERSION_ID=\"%s\"\nVERSION=\"%s (%s)\"\nVERSION_CODENAME=%s\nID=%s\nHOME_URL=\"%s\"\n",
		p.System.Pretty, p.System.Name, p.System.Release, p.System.Release, p.System.Codename, p.System.Codename, p.System.ID, home))
	b.link("/etc/os-release", "../usr/lib/os-release")
	if p.System.ID == "ubuntu" {
		b.file("/etc/lsb-release", 0o644, fmt.Sprintf("DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=%s\nDISTRIB_CODENAME=%s\nDISTRIB_DESCRIPTION=\"%s\"\n", p.System.Release, p.System.Codename, p.System.Pretty))
		b.file("/etc/debian_version", 0o644, map[string]string{"focal": "bullseye/sid\n", "jammy": "bookworm/sid\n"}[p.System.Codename])
	} else {
		b.file("/etc/debian_version", 0o644, p.System.Release+".5\n")
	}
	b.file("/etc/issue", 0o644, p.Issue()+" \\n \\l\n\n")
	b.file("/etc/issue.net", 0o644, p.Issue()+"\n")
	b.file("/etc/resolv.conf", 0o644, "nameserver "+p.Gateway+"\nsearch internal\n")
	b.file("/etc/timezone", 0o644, "Etc/UTC\n")
	b.file("/etc/shells", 0o644, "# /etc/shells: valid login shells\n/bin/sh\n/bin/bash\n/usr/bin/bash\n/bin/rbash\n/bin/dash\n")
	b.file("/etc/fstab", 0o644, "# /etc/fstab: static file system information.\nUUID="+p.uuid()+" / ext4 errors=remount-ro 0 1\n")
	b.file("/etc/crontab", 0o644, "SHELL=/bin/sh\nPATH=/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin\n\n17 *\t* * *\troot    cd / && run-parts --report /etc/cron.hourly\n25 6\t* * *\troot\ttest -x /usr/sbin/anacron || ( cd / && run-parts --report /etc/cron.daily )\n")
	b.file("/etc/profile", 0o644, "# /etc/profile: system-wide .profile file for the Bourne shell (sh(1))\n")
	b.file("/etc/bash.bashrc", 0o644, "# System-wide .bashrc file for interactive bash(1) shells.\n[ -z \"$PS1\" ] && return\nshopt -s checkwinsize\n")
	b.file("/etc/ssh/sshd_config", 0o644, "Include /etc/ssh/sshd_config.d/*.conf\nPermitRootLogin yes\nKbdInteractiveAuthentication no\nUsePAM yes\nX11Forwarding yes\nPrintMotd no\nAcceptEnv LANG LC_*\nSubsystem\tsftp\t/usr/lib/openssh/sftp-server\n")
	b.file("/etc/sudoers", 0o440, "Defaults\tenv_reset\nroot\tALL=(ALL:ALL) ALL\n%sudo\tALL=(ALL:ALL) ALL\n")
	b.file("/etc/rc.local", 0o755, "#!/bin/sh -e\nexit 0\n")
}

// Issue is what stands before a login prompt.
func (p *Persona) Issue() string {
	if p.System.ID == "ubuntu" {
		return p.System.Pretty
	}
	return p.System.Name + " " + p.System.Release
}

func (p *Persona) uuid() string {
	m := p.Machine
	return m[:8] + "-" + m[8:12] + "-4" + m[13:16] + "-a" + m[17:20] + "-" + m[20:32]
}

func (b *builder) proc(now func() time.Time) {
	p := b.p
	b.made("/proc/cpuinfo", p.CPUInfo)
	b.made("/proc/meminfo", p.MemInfo)
	b.made("/proc/version", p.ProcVersion)
	b.made("/proc/uptime", func() string { return p.ProcUptime(now()) })
	b.made("/proc/loadavg", func() string { return p.Load(now()) + " 1/" + fmt.Sprint(110+p.Cores*9) + " 20417\n" })
	b.made("/proc/cmdline", func() string {
		return "BOOT_IMAGE=/boot/vmlinuz-" + p.System.Kernel + " root=UUID=" + p.uuid() + " ro console=tty1 console=ttyS0\n"
	})
	b.made("/proc/mounts", p.Mounts)
	b.link("/etc/mtab", "/proc/mounts")
	b.made("/proc/filesystems", func() string { return "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tdevtmpfs\n\text4\n\tvfat\n" })
	b.made("/proc/sys/kernel/hostname", func() string { return p.Hostname + "\n" })
	b.made("/proc/sys/kernel/osrelease", func() string { return p.System.Kernel + "\n" })
	b.made("/proc/net/dev", p.NetDev)
	b.made("/proc/net/route", func() string {
		return "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
	})
	b.made("/proc/stat", func() string {
		return fmt.Sprintf("cpu  1841023 2210 611204 98120344 40122 0 8123 0 0 0\nbtime %d\n", p.Boot.Unix())
	})
	b.made("/proc/1/cmdline", func() string { return "/sbin/init\x00" })
	b.made("/proc/1/comm", func() string { return "systemd\n" })
	b.link("/proc/self", "1")
	for _, q := range p.Processes() {
		if q.PID != 1 {
			b.made(fmt.Sprintf("/proc/%d/cmdline", q.PID), func() string { return strings.ReplaceAll(q.Command, " ", "\x00") + "\x00" })
			b.made(fmt.Sprintf("/proc/%d/comm", q.PID), func() string { return path.Base(strings.Fields(q.Command)[0]) + "\n" })
		}
	}
}

// binary is what looks like the head of a program for this machine: bots read it to learn what to download.
func (b *builder) binary(size int) []byte {
	var out bytes.Buffer
	out.Write([]byte{0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	_ = binary.Write(&out, binary.LittleEndian, []uint16{3, 62})
	_ = binary.Write(&out, binary.LittleEndian, uint32(1))
	_ = binary.Write(&out, binary.LittleEndian, []uint64{0x6b10, 64, uint64(size) - 1856})
	_ = binary.Write(&out, binary.LittleEndian, uint32(0))
	_ = binary.Write(&out, binary.LittleEndian, []uint16{64, 56, 13, 64, 29, 28})
	for out.Len() < size {
		_ = binary.Write(&out, binary.LittleEndian, b.rand.Uint64())
	}
	return out.Bytes()[:size]
}

func (b *builder) programs(commands []string) {
	shared := b.binary(2048)
	add := func(name string, mode fs.FileMode) {
		b.nodes[name] = &memfs.Node{Mode: mode, Modified: b.at(), Data: shared}
	}
	for _, c := range commands {
		if !strings.HasPrefix(c, "/") {
			c = "/usr/bin/" + c
		}
		add(c, 0o755)
	}
	for _, c := range []string{"sudo", "su", "passwd", "mount", "umount"} {
		add("/usr/bin/"+c, 0o755|fs.ModeSetuid)
	}
	for _, c := range []string{"/usr/sbin/sshd", "/usr/sbin/cron", "/usr/sbin/rsyslogd", "/usr/sbin/init", "/usr/lib/systemd/systemd", "/usr/lib/openssh/sftp-server"} {
		add(c, 0o755)
	}
	b.link("/usr/bin/sh", "dash")
}

func (b *builder) homes() {
	for _, u := range b.p.Users {
		if !strings.HasPrefix(u.Home, "/home/") && u.Name != "root" && u.UID < 106 || u.Home == "/nonexistent" {
			continue
		}
		mine := func(name string, mode fs.FileMode, text string) {
			b.file(u.Home+"/"+name, mode, text)
			b.nodes[u.Home+"/"+name].UID, b.nodes[u.Home+"/"+name].GID = u.UID, u.GID
		}
		mode := fs.FileMode(0o755)
		if u.Name == "root" {
			mode = 0o700
		}
		d := b.dir(u.Home, mode)
		d.UID, d.GID = u.UID, u.GID
		mine(".bashrc", 0o644, "# ~/.bashrc: executed by bash(1) for non-login shells.\nexport LS_OPTIONS='--color=auto'\nalias ll='ls -l'\n")
		mine(".profile", 0o644, "# ~/.profile: executed by Bourne-compatible login shells.\n")
		if u.UID == 0 || u.UID >= 1000 {
			mine(".bash_history", 0o600, "sudo systemctl status "+b.p.Service.Name+"\ndf -h\ntail -f /var/log/syslog\nexit\n")
		}
	}
}

func (b *builder) logs() {
	p := b.p
	var auth strings.Builder
	admin := p.Users[len(p.Users)-2].Name
	for i := range 6 {
		at := p.Boot.Add(time.Duration(i*7) * time.Hour).Format("Jan _2 15:04:05")
		fmt.Fprintf(&auth, "%s %s sshd[%d]: Accepted publickey for %s from %s port %d ssh2\n", at, p.Hostname, 1200+b.rand.IntN(20000), admin, p.Gateway, 40000+b.rand.IntN(20000))
		fmt.Fprintf(&auth, "%s %s CRON[%d]: pam_unix(cron:session): session opened for user root by (uid=0)\n", at, p.Hostname, 1200+b.rand.IntN(20000))
	}
	b.file("/var/log/auth.log", 0o640, auth.String())
	b.file("/var/log/syslog", 0o640, p.Boot.Format("Jan _2 15:04:05")+" "+p.Hostname+" kernel: [    0.000000] Linux version "+p.System.Kernel+"\n")
	b.file("/var/log/dpkg.log", 0o644, p.Made.Format("2006-01-02 15:04:05")+" startup archives unpack\n")
	b.file("/var/log/wtmp", 0o664, string(make([]byte, 384*8)))
	b.file("/var/log/btmp", 0o660, string(make([]byte, 384*3)))
	b.file("/var/log/lastlog", 0o664, string(make([]byte, 292*4)))
	b.file("/var/lib/dpkg/status", 0o644, func() string {
		var s strings.Builder
		for _, k := range p.Packages {
			fmt.Fprintf(&s, "Package: %s\nStatus: install ok installed\nArchitecture: amd64\nVersion: %s\nDescription: %s\n\n", k.Name, k.Version, k.About)
		}
		return s.String()
	}())
	b.file("/var/log/"+p.Service.Name+".log", 0o640, "INFO  [main] "+p.Boot.Format("2006-01-02 15:04:05,000")+" "+p.Service.Name+" started, listening on port "+fmt.Sprint(p.Service.Port)+"\n")
}
