package shell

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

func systemPrograms() map[string]command {
	nothing := func(*program) int { return 0 }
	says := func(text string) command {
		return func(p *program) int {
			p.print("%s", text)
			return 0
		}
	}
	fails := func(text string, status int) command {
		return func(p *program) int {
			fmt.Fprintln(p.io.err, text)
			return status
		}
	}
	return map[string]command{
		"uname": uname, "uptime": uptime, "nproc": nproc, "arch": says("x86_64\n"), "hostname": hostname, "hostnamectl": hostnamectl, "lsb_release": lsbRelease, "date": date, "free": free, "df": df,
		"lscpu": lscpu, "lspci": lspci, "lsblk": lsblk, "lsmod": says("Module                  Size  Used by\nxt_conntrack           16384  2\nnf_conntrack          139264  1 xt_conntrack\nhv_netvsc              94208  0\next4                  921600  1\n"),
		"ps": ps, "top": top, "pgrep": pgrep, "pidof": pgrep, "killall": killall, "pkill": killall, "w": w, "who": who, "last": last, "lastlog": lastlog, "dmesg": dmesg, "mount": mount, "umount": nothing,
		"env": env, "printenv": printenv, "which": which, "whereis": whereis, "sleep": sleep, "usleep": nothing, "clear": says("\x1b[H\x1b[2J\x1b[3J"), "reset": says("\x1bc"), "stty": nothing, "tty": tty, "tput": tput,
		"sysctl": sysctl, "systemctl": systemctl, "service": systemctl, "apt": apt, "apt-get": apt, "dpkg": dpkg, "locale": says("LANG=en_US.UTF-8\nLC_ALL=\n"), "getconf": getconf, "logger": nothing, "modprobe": nothing, "insmod": nothing,
		"nano": fails("Error opening terminal: unknown.", 1), "vi": vi, "vim.tiny": vi, "gcc-nm": nothing, "setenforce": nothing, "iptables": firewall, "ip6tables": firewall, "ufw": says("Status: inactive\n"),
		"swapon": nothing, "swapoff": nothing, "fdisk": fdisk, "shutdown": nothing, "reboot": reboot, "poweroff": reboot, "halt": reboot, "init": nothing, "telinit": nothing, "journalctl": says("-- No entries --\n"), "crontab": crontab,
		"screen": screen, "at": nothing, "vmstat": says("procs -----------memory---------- ---swap-- -----io---- -system-- ------cpu-----\n r  b   swpd   free   buff  cache   si   so    bi    bo   in   cs us sy id wa st\n 1  0      0 702344 210988 1811020    0    0    12    31  104  211  3  1 96  0  0\n"),
	}
}

func uname(p *program) int {
	s := p.cfg.Persona
	o := p.parse("")
	if o.is("a", "all") {
		p.line(s.Uname())
		return 0
	}
	var out []string
	for _, f := range []struct{ short, long, text string }{
		{"s", "kernel-name", "Linux"},
		{"n", "nodename", s.Hostname},
		{"r", "kernel-release", s.System.Kernel},
		{"v", "kernel-version", s.System.Build},
		{"m", "machine", "x86_64"},
		{"p", "processor", "x86_64"},
		{"i", "hardware-platform", "x86_64"},
		{"o", "operating-system", "GNU/Linux"},
	} {
		if o.is(f.short, f.long) || len(o.has) == 0 && f.short == "s" {
			out = append(out, f.text)
		}
	}
	if len(out) == 0 {
		p.fail("invalid option\nTry 'uname --help' for more information.")
		return 1
	}
	p.line(strings.Join(out, " "))
	return 0
}

func uptime(p *program) int {
	if p.parse("").is("p", "pretty") {
		up := p.cfg.Now().Sub(p.cfg.Persona.Boot)
		p.print("up %d days, %d hours, %d minutes\n", int(up.Hours())/24, int(up.Hours())%24, int(up.Minutes())%60)
		return 0
	}
	p.line(p.cfg.Persona.Uptime(p.cfg.Now(), 1))
	return 0
}

func nproc(p *program) int {
	p.print("%d\n", p.cfg.Persona.Cores)
	return 0
}

func hostname(p *program) int {
	o := p.parse("")
	switch {
	case o.is("I", "i"):
		p.print("%s \n", p.cfg.Persona.Address)
	case len(o.rest) > 0:
		return p.fail("you must be root to change the host name")
	default:
		p.line(p.cfg.Persona.Hostname)
	}
	return 0
}

func hostnamectl(p *program) int {
	s := p.cfg.Persona
	p.print("   Static hostname: %s\n         Icon name: computer-vm\n           Chassis: vm\n        Machine ID: %s\n    Virtualization: microsoft\n  Operating System: %s\n            Kernel: Linux %s\n      Architecture: x86-64\n",
		s.Hostname, s.Machine, s.System.Pretty, s.System.Kernel)
	return 0
}

func lsbRelease(p *program) int {
	s, o := p.cfg.Persona.System, p.parse("")
	short := o.is("s", "short")
	id := map[string]string{"ubuntu": "Ubuntu", "debian": "Debian"}[s.ID]
	fmt.Fprintln(p.io.err, "No LSB modules are available.")
	var out []string
	for _, f := range []struct{ key, long, label, text string }{
		{"i", "id", "Distributor ID:\t", id},
		{"d", "description", "Description:\t", s.Pretty},
		{"r", "release", "Release:\t", s.Release},
		{"c", "codename", "Codename:\t", s.Codename},
	} {
		if o.is(f.key, f.long, "a", "all") {
			if short {
				out = append(out, f.text)
			} else {
				out = append(out, f.label+f.text)
			}
		}
	}
	if len(out) > 0 {
		p.line(strings.Join(out, "\n"))
	}
	return 0
}

func date(p *program) int {
	now := p.cfg.Now().UTC()
	for _, a := range p.args[1:] {
		if f, ok := strings.CutPrefix(a, "+"); ok {
			p.line(strftime(f, now))
			return 0
		}
	}
	p.line(now.Format("Mon Jan _2 15:04:05 UTC 2006"))
	return 0
}

func strftime(f string, t time.Time) string {
	var b strings.Builder
	for i := 0; i < len(f) && b.Len() < 4096; i++ {
		if f[i] != '%' || i+1 == len(f) {
			b.WriteByte(f[i])
			continue
		}
		i++
		layout := map[byte]string{
			'Y': "2006", 'm': "01", 'd': "02", 'H': "15", 'M': "04", 'S': "05", 'y': "06", 'b': "Jan", 'B': "January", 'a': "Mon", 'A': "Monday", 'Z': "MST", 'z': "-0700", 'F': "2006-01-02",
			'T': "15:04:05", 'D': "01/02/06", 'e': "_2", 'I': "03", 'p': "PM", 'R': "15:04", 'c': "Mon Jan _2 15:04:05 2006", 'N': "000000000", 'j': "002",
		}[f[i]]
		switch {
		case f[i] == 's':
			b.WriteString(strconv.FormatInt(t.Unix(), 10))
		case f[i] == 'n':
			b.WriteByte('\n')
		case layout == "":
			b.WriteByte(f[i])
		default:
			b.WriteString(t.Format(layout))
		}
	}
	return b.String()
}

func free(p *program) int {
	s, o := p.cfg.Persona, p.parse("s")
	used, unused, shared, cached, available := s.Memory()
	show := func(kb int64) string {
		switch {
		case o.is("m", "mega"):
			return fmt.Sprint(kb / 1024)
		case o.is("g", "giga"):
			return fmt.Sprint(kb >> 20)
		case o.is("b"):
			return fmt.Sprint(kb * 1024)
		case o.is("h", "human"):
			return human(kb*1024) + "i"
		}
		return fmt.Sprint(kb)
	}
	p.print("               total        used        free      shared  buff/cache   available\n")
	p.print("Mem:     %11s %11s %11s %11s %11s %11s\n", show(s.MemoryKB), show(used), show(unused), show(shared), show(cached), show(available))
	p.print("Swap:    %11s %11s %11s\n", show(s.SwapKB), show(0), show(s.SwapKB))
	if o.is("t") {
		p.print("Total:   %11s %11s %11s\n", show(s.MemoryKB+s.SwapKB), show(used), show(unused+s.SwapKB))
	}
	return 0
}

func df(p *program) int {
	s, o := p.cfg.Persona, p.parse("tx")
	rows := []struct {
		name        string
		total, used int64
		at          string
	}{
		{"udev", s.MemoryKB / 2, 0, "/dev"},
		{"tmpfs", s.MemoryKB / 10, s.MemoryKB / 1200, "/run"},
		{"/dev/sda1", s.DiskKB, s.UsedKB, "/"},
		{"tmpfs", s.MemoryKB / 2, 0, "/dev/shm"},
		{"tmpfs", 5120, 0, "/run/lock"},
	}
	show := func(kb int64) string {
		if o.is("h", "human-readable") {
			return human(kb * 1024)
		}
		return fmt.Sprint(kb)
	}
	head := "1K-blocks"
	if o.is("h", "human-readable") {
		head = "Size"
	}
	p.print("%-14s %10s %10s %10s Use%% Mounted on\n", "Filesystem", head, "Used", "Avail")
	var total, used int64
	for _, r := range rows {
		p.print("%-14s %10s %10s %10s %3d%% %s\n", r.name, show(r.total), show(r.used), show((r.total-r.used)*95/100), r.used*100/r.total, r.at)
		total, used = total+r.total, used+r.used
	}
	if o.is("total") {
		p.print("%-14s %10s %10s %10s %3d%% -\n", "total", show(total), show(used), show((total-used)*95/100), used*100/total)
	}
	return 0
}

func lscpu(p *program) int {
	s := p.cfg.Persona
	p.print("Architecture:                    x86_64\nCPU op-mode(s):                  32-bit, 64-bit\nByte Order:                      Little Endian\nAddress sizes:                   46 bits physical, 48 bits virtual\n"+
		"CPU(s):                          %d\nOn-line CPU(s) list:             0-%d\nThread(s) per core:              1\nCore(s) per socket:              %d\nSocket(s):                       1\nNUMA node(s):                    1\n"+
		"Vendor ID:                       %s\nCPU family:                      %d\nModel:                           %d\nModel name:                      %s\nStepping:                        %d\nCPU MHz:                         %.3f\nBogoMIPS:                        %s\n"+
		"Hypervisor vendor:               Microsoft\nVirtualization type:             full\nL3 cache:                        %d KiB\n",
		s.Cores, s.Cores-1, s.Cores, s.CPU.Vendor, s.CPU.Family, s.CPU.Model, s.CPU.Name, s.CPU.Stepping, s.MHz, s.CPU.Bogo, s.CPU.CacheKB)
	return 0
}

func lspci(p *program) int {
	p.print("0000:00:00.0 Host bridge: Intel Corporation 440BX/ZX/DX - 82443BX/ZX/DX Host bridge (AGP disabled) (rev 03)\n0000:00:07.0 ISA bridge: Intel Corporation 82371AB/EB/MB PIIX4 ISA (rev 01)\n" +
		"0000:00:07.1 IDE interface: Intel Corporation 82371AB/EB/MB PIIX4 IDE (rev 01)\n0000:00:07.3 Bridge: Intel Corporation 82371AB/EB/MB PIIX4 ACPI (rev 02)\n0000:00:08.0 VGA compatible controller: Microsoft Corporation Hyper-V virtual VGA\n")
	return 0
}

func lsblk(p *program) int {
	p.print("NAME   MAJ:MIN RM  SIZE RO TYPE MOUNTPOINT\nsda      8:0    0 %4s  0 disk \n└─sda1   8:1    0 %4s  0 part /\n", human(p.cfg.Persona.DiskKB*1060), human(p.cfg.Persona.DiskKB*1024))
	return 0
}

func fdisk(p *program) int {
	if p.user().UID != 0 {
		return p.fail("cannot open /dev/sda: Permission denied")
	}
	n := p.cfg.Persona.DiskKB * 1024
	p.print("Disk /dev/sda: %.0f GiB, %d bytes, %d sectors\nDisk model: Virtual Disk\nUnits: sectors of 1 * 512 = 512 bytes\n", float64(n)/(1<<30), n, n/512)
	return 0
}

// processes are the persona's, and those of the visit.
func dmesg(p *program) int {
	s := p.cfg.Persona
	if p.user().UID != 0 && s.System.ID == "debian" {
		return p.fail("read kernel buffer failed: Operation not permitted")
	}
	p.print("[    0.000000] %s[    0.000000] Command line: BOOT_IMAGE=/boot/vmlinuz-%s ro console=tty1 console=ttyS0\n[    0.000000] Hypervisor detected: Microsoft Hyper-V\n[    0.004012] tsc: Detected %.3f MHz processor\n"+
		"[    0.081220] Memory: %dK/%dK available\n[    0.120001] smp: Bringing up secondary CPUs ...\n[    1.412093] EXT4-fs (sda1): mounted filesystem with ordered data mode\n[    2.902311] systemd[1]: Hostname set to <%s>.\n",
		s.ProcVersion(), s.System.Kernel, s.MHz, s.MemoryKB*9/10, s.MemoryKB, s.Hostname)
	return 0
}

func mount(p *program) int {
	if len(p.args) > 1 && !strings.HasPrefix(p.args[1], "-") || len(p.args) > 3 {
		if p.user().UID != 0 {
			return p.fail("only root can do that")
		}
		return 0
	}
	for _, l := range strings.Split(strings.TrimSpace(p.cfg.Persona.Mounts()), "\n") {
		if f := strings.Fields(l); len(f) > 3 {
			p.print("%s on %s type %s (%s)\n", f[0], f[1], f[2], f[3])
		}
	}
	return 0
}

func env(p *program) int {
	args := p.args[1:]
	c := p.sub()
	for len(args) > 0 {
		if args[0] == "-i" || args[0] == "-" {
			args = args[1:]
			continue
		}
		name, value, ok := strings.Cut(args[0], "=")
		if !ok {
			break
		}
		c.export(cut(name, 256), cut(value, maxValue))
		args = args[1:]
	}
	if len(args) > 0 {
		q := &program{c, p.args, p.io}
		return q.again(args, nil)
	}
	return printenv(&program{c, []string{"printenv"}, p.io})
}

func printenv(p *program) int {
	if len(p.args) > 1 {
		v := p.vars[p.args[1]]
		if !v.Set || !v.Exported {
			return 1
		}
		p.line(v.Str)
		return 0
	}
	for _, name := range slices.Sorted(mapsKeys(p.vars)) {
		if v := p.vars[name]; v.Exported && v.Set {
			p.print("%s=%s\n", name, v.Str)
		}
	}
	return 0
}

func which(p *program) int {
	status := 0
	for _, n := range p.parse("").rest {
		if at := p.which(n); at != "" {
			p.line(at)
		} else {
			status = 1
		}
	}
	return status
}

func whereis(p *program) int {
	for _, n := range p.parse("").rest {
		at := p.which(n)
		p.line(strings.TrimRight(n+": "+at, " "))
	}
	return 0
}

func sleep(p *program) int {
	if len(p.args) < 2 {
		return p.fail("missing operand")
	}
	unit := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}
	d := time.Second
	text := p.args[1]
	if u, ok := unit[text[max(len(text)-1, 0)%max(len(text), 1)]]; ok && text != "" {
		d, text = u, text[:len(text)-1]
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f < 0 {
		return p.fail("invalid time interval ‘%s’", printable(p.args[1]))
	}
	p.wait(time.Duration(min(f, 1e5) * float64(d)))
	return 0
}

func tty(p *program) int {
	if !p.cfg.Terminal {
		p.print("not a tty\n")
		return 1
	}
	p.print("/dev/pts/0\n")
	return 0
}

func tput(p *program) int {
	if len(p.args) < 2 {
		return 2
	}
	switch p.args[1] {
	case "bold":
		p.print("\x1b[1m")
	case "sgr0":
		p.print("\x1b(B\x1b[m")
	case "cols":
		p.print("%d\n", max(p.cfg.Columns, 80))
	case "lines":
		p.print("24\n")
	case "colors":
		p.print("256\n")
	case "setaf":
		p.print("\x1b[3%dm", p.number(2, 0)%8)
	}
	return 0
}

var _ io.Writer = (*buffer)(nil)
