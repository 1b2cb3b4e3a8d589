package shell

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/honeypot/persona"
)

func (s *Shell) processes() []persona.Process {
	now := s.cfg.Now()
	at, tt := s.began.Format("15:04"), "?"
	if s.cfg.Terminal {
		tt = "pts/0"
	}
	all := s.cfg.Persona.Processes()
	return append(all,
		persona.Process{PID: s.pid - 2, PPID: 1, User: "root", Mem: 0.2, VSZ: 17184, RSS: 10912, TTY: "?", Stat: "Ss", Started: at, Time: "0:00", Command: "sshd: " + s.account.Name + " [priv]"},
		persona.Process{PID: s.pid - 1, PPID: s.pid - 2, User: s.account.Name, Mem: 0.1, VSZ: 17312, RSS: 6420, TTY: "?", Stat: "S", Started: at, Time: "0:00", Command: "sshd: " + s.account.Name + "@" + strings.Replace(tt, "?", "notty", 1)},
		persona.Process{PID: s.pid, PPID: s.pid - 1, User: s.account.Name, Mem: 0.1, VSZ: 8144, RSS: 5012, TTY: tt, Stat: "Ss", Started: at, Time: "0:00", Command: "-bash"},
		persona.Process{PID: s.newPID(), PPID: s.pid, User: s.account.Name, VSZ: 9764, RSS: 3240, TTY: tt, Stat: "R+", Started: now.Format("15:04"), Time: "0:00", Command: "ps"},
	)
}

func ps(p *program) int {
	flags := strings.Join(p.args[1:], "")
	all := p.processes()
	all[len(all)-1].Command = strings.Join(p.args, " ")
	var b strings.Builder
	switch {
	case strings.Contains(flags, "u") && !strings.HasPrefix(flags, "-u"):
		b.WriteString("USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND\n")
		for _, q := range all {
			fmt.Fprintf(&b, "%-8s %7d %4.1f %4.1f %6d %5d %-8s %-4s %5s %6s %s\n", cut(q.User, 8), q.PID, q.CPU, q.Mem, q.VSZ, q.RSS, q.TTY, q.Stat, q.Started, q.Time, q.Command)
		}
	case strings.Contains(flags, "f"):
		b.WriteString("UID          PID    PPID  C STIME TTY          TIME CMD\n")
		for _, q := range all {
			fmt.Fprintf(&b, "%-8s %7d %7d  0 %5s %-8s 00:%05s %s\n", cut(q.User, 8), q.PID, q.PPID, q.Started, q.TTY, q.Time, q.Command)
		}
	default:
		b.WriteString("    PID TTY          TIME CMD\n")
		for _, q := range all {
			if strings.ContainsAny(flags, "eAax") || q.TTY == "pts/0" || q.PID == p.pid {
				fmt.Fprintf(&b, "%7d %-8s 00:00:%02d %s\n", q.PID, q.TTY, 0, programName(q.Command))
			}
		}
	}
	p.write([]byte(b.String()))
	return 0
}

func programName(command string) string {
	name := strings.Trim(strings.Fields(command)[0], "[]:-")
	return name[strings.LastIndexByte(name, '/')+1:]
}

func top(p *program) int {
	s := p.cfg.Persona
	all := p.processes()
	used, unused, _, cached, available := s.Memory()
	p.print("top -%s\nTasks: %3d total,   1 running, %3d sleeping,   0 stopped,   0 zombie\n%%Cpu(s):  2.1 us,  0.7 sy,  0.0 ni, 97.0 id,  0.1 wa,  0.0 hi,  0.1 si,  0.0 st\n"+
		"MiB Mem : %8.1f total, %8.1f free, %8.1f used, %8.1f buff/cache\nMiB Swap: %8.1f total, %8.1f free,      0.0 used. %8.1f avail Mem\n\n    PID USER      PR  NI    VIRT    RES    SHR S  %%CPU  %%MEM     TIME+ COMMAND\n",
		s.Uptime(p.cfg.Now(), 1), len(all), len(all)-1, float64(s.MemoryKB)/1024, float64(unused)/1024, float64(used)/1024, float64(cached)/1024, float64(s.SwapKB)/1024, float64(s.SwapKB)/1024, float64(available)/1024)
	slices.SortStableFunc(all, func(a, b persona.Process) int { return int(b.Mem*10 - a.Mem*10) })
	for _, q := range all {
		p.print("%7d %-9s 20   0 %7d %6d %6d %s %5.1f %5.1f %9s %s\n", q.PID, cut(q.User, 9), q.VSZ, q.RSS, q.RSS/2, q.Stat[:1], q.CPU, q.Mem, q.Time+".00", programName(q.Command))
	}
	if !p.parse("ndpu").is("b") && p.cfg.Terminal {
		p.wait(time.Hour)
	}
	return 0
}

func pgrep(p *program) int {
	o := p.parse("u")
	found := 1
	for _, q := range p.processes() {
		for _, want := range o.rest {
			if programName(q.Command) == want || p.args[0] == "pgrep" && strings.Contains(programName(q.Command), want) || o.is("f") && strings.Contains(q.Command, want) {
				p.print("%d\n", q.PID)
				found = 0
			}
		}
	}
	return found
}

func killall(p *program) int {
	o := p.parse("us")
	for _, want := range o.rest {
		known := false
		for _, q := range p.cfg.Persona.Processes() {
			known = known || programName(q.Command) == want
		}
		switch {
		case known && p.user().UID != 0:
			return p.fail("%s: Operation not permitted", printable(want))
		case !known && p.args[0] == "killall" && !o.is("q"):
			return p.fail("%s: no process found", printable(want))
		case !known:
			return 1
		}
	}
	return 0
}

func w(p *program) int {
	p.print("%s\nUSER     TTY      FROM             LOGIN@   IDLE   JCPU   PCPU WHAT\n%-8s pts/0    %-16s %s    0.00s  0.02s  0.00s w\n",
		p.cfg.Persona.Uptime(p.cfg.Now(), 1), cut(p.account.Name, 8), cut(p.cfg.From, 16), p.began.Format("15:04"))
	return 0
}

func who(p *program) int {
	p.print("%-8s pts/0        %s (%s)\n", p.account.Name, p.began.Format("2006-01-02 15:04"), p.cfg.From)
	return 0
}

func last(p *program) int {
	s := p.cfg.Persona
	p.print("%-8s pts/0        %-16s %s   still logged in\n", p.account.Name, p.cfg.From, p.began.Format("Mon Jan _2 15:04"))
	admin := s.Users[len(s.Users)-2].Name
	for i := range 4 {
		at := s.Boot.Add(time.Duration(70-i*17) * time.Hour)
		p.print("%-8s pts/0        %-16s %s - %s  (00:%02d)\n", admin, s.Gateway, at.Format("Mon Jan _2 15:04"), at.Add(time.Duration(11+i*7)*time.Minute).Format("15:04"), 11+i*7)
	}
	p.print("reboot   system boot  %-16s %s   still running\n\nwtmp begins %s\n", cut(s.System.Kernel, 16), s.Boot.Format("Mon Jan _2 15:04"), s.Made.Format("Mon Jan _2 15:04:05 2006"))
	return 0
}

func lastlog(p *program) int {
	p.print("Username         Port     From             Latest\n")
	for _, u := range p.cfg.Persona.Users {
		if u.Name == p.account.Name {
			p.print("%-16s pts/0    %-16s %s\n", u.Name, p.cfg.From, p.began.Format("Mon Jan _2 15:04:05 -0700 2006"))
		} else {
			p.print("%-16s                           **Never logged in**\n", u.Name)
		}
	}
	return 0
}
