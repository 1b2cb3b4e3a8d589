package persona

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// CPUInfo is /proc/cpuinfo.
func (p *Persona) CPUInfo() string {
	var s strings.Builder
	for i := range p.Cores {
		fmt.Fprintf(&s, "processor\t: %d\nvendor_id\t: %s\ncpu family\t: %d\nmodel\t\t: %d\nmodel name\t: %s\nstepping\t: %d\nmicrocode\t: 0xffffffff\ncpu MHz\t\t: %.3f\ncache size\t: %d KB\n"+
			"physical id\t: 0\nsiblings\t: %d\ncore id\t\t: %d\ncpu cores\t: %d\napicid\t\t: %d\ninitial apicid\t: %d\nfpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: 21\nwp\t\t: yes\n"+
			"flags\t\t: %s\nbugs\t\t: spectre_v1 spectre_v2 spec_store_bypass\nbogomips\t: %s\nclflush size\t: 64\ncache_alignment\t: 64\naddress sizes\t: 46 bits physical, 48 bits virtual\npower management:\n\n",
			i, p.CPU.Vendor, p.CPU.Family, p.CPU.Model, p.CPU.Name, p.CPU.Stepping, p.MHz, p.CPU.CacheKB, p.Cores, i, p.Cores, i, i, cpuFlags, p.CPU.Bogo)
	}
	return s.String()
}

const cpuFlags = "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ss ht syscall nx pdpe1gb rdtscp lm constant_tsc rep_good nopl xtopology cpuid pni pclmulqdq ssse3 fma cx16 sse4_1 sse4_2 movbe popcnt aes xsave avx f16c rdrand hypervisor lahf_lm abm 3dnowprefetch fsgsbase bmi1 avx2 smep bmi2 erms rdseed adx smap xsaveopt"

// Memory is what free shows, in kB: used, free, shared, of buffers and caches, available.
func (p *Persona) Memory() (used, free, shared, cached, available int64) {
	used = p.MemoryKB * 27 / 100
	free = p.MemoryKB * 18 / 100
	shared = p.MemoryKB / 900
	cached = p.MemoryKB - used - free
	return used, free, shared, cached, free + cached*9/10
}

// MemInfo is /proc/meminfo.
func (p *Persona) MemInfo() string {
	_, free, shared, cached, available := p.Memory()
	var s strings.Builder
	for _, l := range []struct {
		name string
		kb   int64
	}{
		{"MemTotal", p.MemoryKB},
		{"MemFree", free},
		{"MemAvailable", available},
		{"Buffers", cached / 9},
		{"Cached", cached - cached/9},
		{"SwapCached", 0},
		{"Active", p.MemoryKB * 3 / 10},
		{"Inactive", p.MemoryKB / 4},
		{"SwapTotal", p.SwapKB},
		{"SwapFree", p.SwapKB},
		{"Dirty", 124},
		{"Shmem", shared},
		{"Slab", p.MemoryKB / 25},
	} {
		fmt.Fprintf(&s, "%-15s %8d kB\n", l.name+":", l.kb)
	}
	return s.String()
}

// ProcVersion is /proc/version.
func (p *Persona) ProcVersion() string {
	return fmt.Sprintf("Linux version %s (buildd@lcy02-amd64-059) (%s, GNU ld (GNU Binutils) 2.38) %s\n", p.System.Kernel, p.System.Compiler, p.System.Build)
}

// Uname is uname -a.
func (p *Persona) Uname() string {
	return "Linux " + p.Hostname + " " + p.System.Kernel + " " + p.System.Build + " x86_64 GNU/Linux"
}

// ProcUptime is /proc/uptime.
func (p *Persona) ProcUptime(now time.Time) string {
	up := now.Sub(p.Boot).Seconds()
	return fmt.Sprintf("%.2f %.2f\n", up, up*float64(p.Cores)*0.973)
}

// Load is the three load figures. They move a little with time, as such figures do.
func (p *Persona) Load(now time.Time) string {
	wave := func(period float64) float64 {
		return 0.06 + 0.05*float64(p.Cores)*(1+math.Sin(float64(now.Unix()%86400)/period+float64(len(p.Hostname))))
	}
	return fmt.Sprintf("%.2f %.2f %.2f", wave(61), wave(307), wave(911))
}

// Uptime is the line that uptime and w begin with.
func (p *Persona) Uptime(now time.Time, users int) string {
	up := now.Sub(p.Boot)
	days, rest := int(up.Hours())/24, up%(24*time.Hour)
	clock := fmt.Sprintf("%2d:%02d", int(rest.Hours()), int(rest.Minutes())%60)
	if rest < time.Hour {
		clock = fmt.Sprintf("%d min", int(rest.Minutes()))
	}
	age := clock
	if days > 0 {
		s := "s"
		if days == 1 {
			s = ""
		}
		age = fmt.Sprintf("%d day%s, %s", days, s, clock)
	}
	s := "s"
	if users == 1 {
		s = ""
	}
	return fmt.Sprintf(" %s up %s, %2d user%s,  load average: %s", now.Format("15:04:05"), age, users, s, strings.ReplaceAll(p.Load(now), " ", ", "))
}

// Mounts is /proc/mounts.
func (p *Persona) Mounts() string {
	return "sysfs /sys sysfs rw,nosuid,nodev,noexec,relatime 0 0\nproc /proc proc rw,nosuid,nodev,noexec,relatime 0 0\nudev /dev devtmpfs rw,nosuid,relatime,size=" + fmt.Sprint(p.MemoryKB/2) +
		"k,mode=755 0 0\ndevpts /dev/pts devpts rw,nosuid,noexec,relatime,gid=5,mode=620 0 0\ntmpfs /run tmpfs rw,nosuid,nodev,noexec,relatime,size=" + fmt.Sprint(p.MemoryKB/10) +
		"k,mode=755 0 0\n/dev/sda1 / ext4 rw,relatime,errors=remount-ro 0 0\ntmpfs /dev/shm tmpfs rw,nosuid,nodev 0 0\ntmpfs /run/lock tmpfs rw,nosuid,nodev,noexec,relatime,size=5120k 0 0\n"
}

// NetDev is /proc/net/dev.
func (p *Persona) NetDev() string {
	return "Inter-|   Receive                                                |  Transmit\n face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n" +
		"    lo: 91823344  612034    0    0    0     0          0         0 91823344  612034    0    0    0     0       0          0\n" +
		fmt.Sprintf("  eth0: %d 48120331    0    0    0     0          0         0 %d 39122004    0    0    0     0       0          0\n", p.MemoryKB*1733, p.MemoryKB*911)
}

// Process is one line of ps.
type Process struct {
	PID, PPID int
	User      string
	CPU, Mem  float64
	VSZ, RSS  int64
	TTY, Stat string
	Started   string
	Time      string
	Command   string
}

// Processes are those that run without any visitor.
func (p *Persona) Processes() []Process {
	day := p.Boot.Format("Jan02")
	out := []Process{{1, 0, "root", 0, 0.1, 167744, 11520, "?", "Ss", day, "1:12", "/sbin/init"}}
	kernel := []string{"kthreadd", "rcu_gp", "rcu_par_gp", "kworker/0:0H-events_highpri", "mm_percpu_wq", "ksoftirqd/0", "rcu_sched", "migration/0", "kdevtmpfs", "khungtaskd", "kswapd0", "scsi_eh_0", "jbd2/sda1-8"}
	for i, k := range kernel {
		out = append(out, Process{2 + i, 2 * min(i, 1), "root", 0, 0, 0, 0, "?", "S", day, "0:00", "[" + k + "]"})
	}
	pid := 260 + len(p.Hostname)*7
	add := func(user string, mem float64, vsz, rss int64, t, cmd string) {
		pid += 3 + len(cmd)%37
		out = append(out, Process{pid, 1, user, 0, mem, vsz, rss, "?", "Ss", day, t, cmd})
	}
	add("root", 0.6, 56012, 24120, "0:31", "/lib/systemd/systemd-journald")
	add("root", 0.1, 22040, 5880, "0:04", "/lib/systemd/systemd-udevd")
	add("systemd-timesync", 0.1, 89356, 6320, "0:03", "/lib/systemd/systemd-timesyncd")
	add("root", 0.1, 6812, 2980, "0:09", "/usr/sbin/cron -f")
	add("messagebus", 0.1, 7440, 4420, "0:02", "/usr/bin/dbus-daemon --system --address=systemd: --nofork --nopidfile --systemd-activation --syslog-only")
	add("root", 0.1, 222788, 5904, "0:17", "/usr/sbin/rsyslogd -n -iNONE")
	add("root", 0.1, 15852, 8900, "0:05", "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups")
	add("root", 0.0, 5828, 1740, "0:00", "/sbin/agetty -o -p -- \\u --noclear tty1 linux")
	add(p.Service.User, 21.4, p.MemoryKB*2/3, p.MemoryKB/5, "212:08", p.Service.Command)
	return out
}
