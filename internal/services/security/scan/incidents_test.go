package scan

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/replay"
)

// TestIncidents: the intrusion is one incident that names all its results, from both logs; on two machines by two intruders there are two.
func TestIncidents(t *testing.T) {
	t.Parallel()
	log := intrusion()
	r := scanned(t, options(), log.Audit(), log.Auth())
	if len(r.Incidents) != 1 {
		t.Fatalf("%d incidents", len(r.Incidents))
	}
	in := r.Incidents[0]
	for _, x := range r.Results {
		if x.Machine == "" && x.Incident != in.ID {
			t.Errorf("%s is in %q", x.Name, x.Incident)
		}
	}
	if !in.IsIncident || in.Severity != "High" || len(in.Alerts) < 20 || !slices.IsSortedFunc(in.Alerts, func(a, b Member) int { return a.Time.Compare(b.Time) }) || len(in.Remedy) < 4 || !strings.Contains(in.Description, "203.0.0.0/16") {
		t.Errorf("%+v", in)
	}
	two := &replay.Log{Now: log.Now, Host: "c2"}
	two.Now = time.Date(2018, 11, 20, 1, 0, 0, 0, time.UTC)
	replay.Intrusion(two, replay.Disguise{Rename: true, Other: true, By: replay.Actor{Account: "tomcat", First: "192.0.2.30", Second: "192.0.2.99", Scripts: "scripts.example.org", Drop: "192.0.2.200"}})
	named := func(node, text string) string {
		return "node=" + node + " " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\nnode="+node+" ") + "\n"
	}
	r = scanned(t, options(), named("c1", log.Audit()), named("c2", two.Audit()))
	if len(r.Incidents) != 2 || r.Incidents[0].Machine == r.Incidents[1].Machine {
		t.Errorf("%d incidents on two machines", len(r.Incidents))
	}
}

// administrator writes a day of somebody's work on a machine: what looks around, fetches, unpacks, builds, removes and signs in elsewhere for good reasons.
func administrator(log *replay.Log) {
	for day := range 3 {
		session := uint32(100 + day)
		log.SignIn("root", "198.51.100.1", 0, session, true)
		shell := replay.Process{PID: log.PID(), Parent: log.PID(), Session: session, TTY: "pts0", Dir: "/root"}
		log.Exec(shell, "/bin/bash", []string{"-bash"})
		run := func(args ...string) replay.Process {
			p := shell
			p.PID, p.Parent = log.PID(), shell.PID
			file := args[0]
			if !strings.Contains(file, "/") {
				file = "/usr/bin/" + file
			}
			log.Exec(p, file, args)
			log.Wait(30 * time.Second)
			return p
		}
		for _, line := range []string{
			"uptime", "df -h", "free -m", "systemctl status nginx", "journalctl -u nginx -n 50", "apt-get update", "apt-get install -y build-essential", "wget https://github.com/example/tool/releases/download/v1/tool.tar.gz",
			"tar xzf tool.tar.gz", "./tool/configure --prefix=/opt/tool", "make -j4", "make install", "git pull", "go build ./...", "chmod +x deploy.sh", "./deploy.sh production", "rm -rf tool tool.tar.gz", "ssh deploy@10.0.0.7 uptime",
			"rsync -a /var/www/ backup@10.0.0.9:/srv/backup/", "vim /etc/nginx/nginx.conf", "nginx -t", "crontab -l", "ps aux", "ss -tlnp", "curl -s http://localhost/health", "docker ps",
		} {
			run(strings.Fields(line)...)
		}
		apt := run("apt-get", "upgrade")
		for _, args := range [][]string{{"uname", "-r"}, {"dpkg", "-l"}, {"lsb_release", "-si"}, {"df", "/"}, {"free"}, {"lspci"}, {"id"}} {
			p := apt
			p.PID, p.Parent = log.PID(), apt.PID
			log.Exec(p, "/usr/bin/"+args[0], args)
		}
		log.Wait(20 * time.Hour)
	}
}

// TestBenign: days of ordinary work are no incident, and neither are password guessers that never got in.
func TestBenign(t *testing.T) {
	t.Parallel()
	log := &replay.Log{Now: time.Date(2018, 11, 20, 8, 0, 0, 0, time.UTC), Host: "c1"}
	administrator(log)
	logs := []string{log.Audit(), log.Auth()}
	if root := os.Getenv("BULKHEAD_TESTDATA"); root != "" {
		if real, err := os.ReadFile(filepath.Join(root, "security", "sshd", "OpenSSH_2k.log")); err == nil {
			logs = append(logs, string(real))
		}
	}
	r := scanned(t, options(), logs...)
	if r.Audit.Events < 90 {
		t.Fatalf("only %d events", r.Audit.Events)
	}
	for _, in := range r.Incidents {
		t.Errorf("an incident: %s", in.Description)
	}
}
