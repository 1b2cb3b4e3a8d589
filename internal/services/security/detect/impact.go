package detect

import (
	"fmt"
	"strings"
)

func impactAnalytics() []commandAnalytic {
	return []commandAnalytic{
		{"wipe", []string{"rm", "dd", "shred", "wipefs", "mkfs", "mkfs.ext4", "mkfs.xfs", "mkfs.btrfs", "hdparm", "blkdiscard", "srm", "wipe", "cp", "sfdisk", "sgdisk", "cryptsetup", "find"}, onWipe},
		{"shutdown", []string{"shutdown", "reboot", "halt", "poweroff", "init", "telinit", "systemctl"}, onShutdown},
		{"burn", []string{"yes", "stress", "stress-ng", "md5sum", "sha1sum", "sha256sum", "sha512sum", "cat", "dd", "openssl", "bzip2", "gzip", "pigz", "xz", "sh", "bash"}, onBurn},
		{"recovery", []string{"lvremove", "zfs", "btrfs", "restic", "borg", "vgremove", "zpool", "vboxmanage", "virsh", "vim-cmd", "esxcli", "rm", "snapper", "timeshift", "aws", "az", "grub-editenv", "docker"}, onRecovery},
	}
}

// encrypted: a file is encrypted with a password that a program was given. One is worth a look; many different ones are somebody's who wants money. A backup encrypts files of the same few names
// each time, with a password that is kept in a file.
func (s *step) encrypted(c *Command) {
	t := &s.session.encrypted
	now := s.event.Millis
	if t.names == nil || !recent(t.from, now, s.m.params.EncryptWindow) {
		*t = stops{from: now, names: map[string]bool{}}
	}
	for _, f := range encryptedFiles(c) {
		if len(t.names) < 4*s.m.params.EncryptFiles {
			t.names[base(f)] = true
		}
	}
	if n := len(t.names); n >= s.m.params.EncryptFiles {
		s.tell(&massEncrypted, 0.8, "", fmt.Sprintf("%d files or more were encrypted within %s", n, s.m.params.EncryptWindow))
		return
	}
	if keptSecret(c) {
		s.tell(&encryptedKept, 0.3, "", fmt.Sprintf("a file was encrypted by %s with a password or key that is kept in a file", c.Name))
		return
	}
	s.tell(&encrypted, 0.5, "", fmt.Sprintf("a file was encrypted by %s with a password that it was given", c.Name))
}

// encryptedFiles are the names of what is encrypted.
func encryptedFiles(c *Command) []string {
	files := c.operands()
	switch c.Name {
	case "openssl":
		for i, a := range c.Args {
			if a == "-in" {
				return []string{c.arg(i + 1)}
			}
		}
		return nil
	case "zip": // the archive, then what goes into it
		return files[min(1, len(files)):]
	case "7z", "7za", "rar": // "a", the archive, then what goes into it
		return files[min(2, len(files)):]
	case "ccrypt", "ccencrypt", "mcrypt":
		return files
	}
	return files[max(0, len(files)-1):]
}

// onWipe: disks, file systems, or everything is overwritten or removed.
func onWipe(s *step, c *Command) {
	if managed(s.process) || s.process.under&underBuild != 0 {
		return
	}
	switch c.Name {
	case "rm":
		if !c.flag('r') && !c.flag('R') && !c.has("--recursive") {
			return
		}
		for _, o := range c.operands() {
			switch within(s.process.Dir, o) {
			case "/", "/*", "/etc", "/usr", "/var", "/home", "/boot", "/bin", "/lib", "/root", homes + "/*", "/var/*", "/etc/*", "/usr/*", "/opt", "/srv":
				s.tell(&wiped, 0.8, o, "everything below "+o+" was to be removed")
				return
			}
		}
		if c.has("--no-preserve-root") {
			s.tell(&wiped, 0.8, "/", "everything was to be removed")
		}
	case "dd":
		in, out := "", ""
		for _, a := range c.Args {
			if v, ok := strings.CutPrefix(a, "if="); ok {
				in = v
			} else if v, ok := strings.CutPrefix(a, "of="); ok {
				out = v
			}
		}
		empty := in == "/dev/zero" || in == "/dev/urandom" || in == "/dev/random"
		if full := within(s.process.Dir, out); empty && out != "" && !strings.HasPrefix(out, "/dev/") && !c.has("oflag=append") && !strings.Contains(out, "swap") && !strings.HasSuffix(out, ".img") && !strings.HasSuffix(out, ".iso") {
			s.tell(&overwritten, 0.5, full, full+" was overwritten with nothing")
		}
	case "shred", "srm", "wipe":
		for _, o := range c.operands() {
			if classify(o) == blockDevice {
				s.tell(&wiped, 0.8, o, o+" was overwritten")
				return
			}
		}
		if len(c.operands()) > 0 {
			s.tell(&shredded, 0.5, "", "files were removed so that nobody gets them back")
		}
	case "wipefs", "blkdiscard":
		if c.flag('a') || c.has("--all") || c.Name == "blkdiscard" {
			s.tell(&wiped, 0.7, c.Name, "a disk was emptied by "+c.Name)
		}
	case "mkfs", "mkfs.ext4", "mkfs.xfs", "mkfs.btrfs":
		for _, o := range c.operands() {
			if classify(o) == blockDevice {
				s.tell(&wiped, 0.5, o, "a new file system was made on "+o)
			}
		}
	case "hdparm":
		if strings.Contains(strings.Join(c.Args, " "), "security-erase") || strings.Contains(strings.Join(c.Args, " "), "trim-sector") {
			s.tell(&wiped, 0.7, "", "a disk was told to erase itself")
		}
	case "sfdisk", "sgdisk":
		if c.has("--delete", "--zap-all", "-Z", "--zap", "-o") {
			s.tell(&wiped, 0.6, "", "a disk's table of partitions was removed")
		}
	case "cryptsetup":
		if c.arg(0) == "luksErase" || c.arg(0) == "erase" {
			s.tell(&wiped, 0.7, "", "the keys of an encrypted disk were removed")
		}
	case "find":
		if c.has("-delete") && len(c.Args) > 0 && (c.Args[0] == "/" || c.Args[0] == "/home" || c.Args[0] == "/var" || c.Args[0] == "/etc") && !strings.Contains(strings.Join(c.Args, " "), "-name") && !c.has("-mtime", "-empty", "-xtype") {
			s.tell(&wiped, 0.7, c.Args[0], "everything below "+c.Args[0]+" was to be removed")
		}
	}
}

// onShutdown: the machine is stopped or started anew.
func onShutdown(s *step, c *Command) {
	if managed(s.process) {
		return
	}
	switch c.Name {
	case "shutdown":
		if c.has("-c", "--help") {
			return
		}
	case "init", "telinit":
		if c.arg(0) != "0" && c.arg(0) != "6" {
			return
		}
	case "systemctl":
		if !c.has("reboot", "poweroff", "halt", "kexec", "rescue", "emergency") {
			return
		}
	}
	if atOnce(c) && s.process.under&underCron == 0 && !s.byHand(c) {
		s.tell(&stoppedByScript, 0.4, "", "the machine was told to stop or to start anew, at once, by a script")
		return
	}
	s.tell(&machineStopped, 0.3, "", "the machine was told to stop or to start anew")
}

// atOnce reports whether nobody is told, and given time, before the machine stops.
func atOnce(c *Command) bool {
	if c.Name != "shutdown" {
		return true
	}
	for _, o := range c.operands() {
		if o != "now" && o != "+0" {
			return false // a time, or words to those who are signed in
		}
	}
	return len(c.operands()) > 0
}

// onBurn: time of the processor is used for nothing: what a test of mining does, or somebody who wants the machine to be slow. A fork bomb is the same, and faster.
func onBurn(s *step, c *Command) {
	if expected(s.process) {
		return
	}
	text := strings.Join(c.Args, " ")
	null := false
	for _, r := range c.Redirects {
		null = null || r.file == "/dev/null" && r.op == '>'
	}
	switch c.Name {
	case "yes":
		if null || len(c.Args) == 0 && c.Pipeline == 0 && c.Via != "" {
			s.tell(&burned, 0.5, "", "a program that ends never was run, its output thrown away")
		}
	case "stress", "stress-ng":
		if len(c.Args) > 0 {
			s.tell(&burned, 0.4, "", "the machine was put under load by "+c.Name)
		}
	case "md5sum", "sha1sum", "sha256sum", "sha512sum", "bzip2", "gzip", "pigz", "xz", "cat":
		if c.has("/dev/zero", "/dev/urandom") && (null || c.Name != "cat" && c.Name != "gzip") {
			s.tell(&burned, 0.4, "", c.Name+" was given a file that never ends")
		}
	case "dd":
		if c.has("if=/dev/zero", "if=/dev/urandom") && c.has("of=/dev/null") {
			s.tell(&burned, 0.4, "", "nothing was copied to nowhere")
		}
	case "openssl":
		if c.arg(0) == "speed" && c.has("-multi") {
			s.tell(&burned, 0.4, "", "the machine was put under load by openssl")
		}
	case "sh", "bash":
		if i := strings.Index(text, "(){"); i > 0 && strings.Contains(text[i:], "|") && strings.Contains(text[i:], "&") && strings.Contains(text[i:], "};") {
			name := text[strings.LastIndexAny(text[:i], " ;&\n")+1 : i]
			if strings.Contains(text[i:], name+"|"+name) || strings.Contains(text[i:], name+" | "+name) {
				s.tell(&burned, 0.8, "bomb", "a function that starts itself twice was run")
			}
		}
	}
}

// onRecovery: what a machine is brought back from is removed: snapshots, backups.
func onRecovery(s *step, c *Command) {
	if managed(s.process) || s.process.under&(underCron|underBuild) != 0 {
		return
	}
	text := strings.Join(c.Args, " ")
	why := ""
	switch c.Name {
	case "lvremove", "vgremove":
		why = "volumes or snapshots were removed"
	case "zfs", "zpool":
		if c.arg(0) == "destroy" {
			why = "a file system or snapshot was destroyed"
		}
	case "btrfs":
		if strings.Contains(text, "subvolume delete") {
			why = "a snapshot was removed"
		}
	case "restic", "borg":
		if c.has("forget", "prune", "delete") && !strings.Contains(text, "keep") {
			why = "backups were removed"
		}
	case "virsh", "vboxmanage", "vim-cmd", "esxcli":
		if strings.Contains(text, "snapshot-delete") || strings.Contains(text, "snapshot.removeall") || strings.Contains(text, "destroy") || strings.Contains(text, "vm process kill") {
			why = "virtual machines were ended or their snapshots removed"
		}
	case "snapper", "timeshift":
		if c.has("delete", "--delete", "--delete-all") {
			why = "a snapshot was removed"
		}
	case "aws", "az":
		if strings.Contains(text, "delete-snapshot") || strings.Contains(text, "delete-backup") || strings.Contains(text, "snapshot delete") || strings.Contains(text, "backup item delete") || strings.Contains(text, "rb --force") {
			why = "backups or snapshots in a cloud were removed"
		}
	}
	if why != "" {
		s.tell(&recoveryInhibited, 0.6, c.Name, why)
	}
}
