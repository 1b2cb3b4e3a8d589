package detect

import (
	"fmt"
	"strings"
)

// serviceNames are accounts that programs run as, and that nobody signs in with. Several come with a password that everybody knows.
func serviceName(account string) bool {
	switch account {
	case "cassandra", "mysql", "postgres", "tomcat", "tomcat7", "tomcat8", "tomcat9", "www-data", "apache", "nginx", "httpd", "nobody", "daemon", "bin", "sys", "mail", "news", "uucp", "proxy", "backup", "irc", "gnats", "sshd", "redis", "mongodb", "mongod",
		"elasticsearch", "kibana", "logstash", "hadoop", "hdfs", "yarn", "spark", "hbase", "zookeeper", "kafka", "solr", "rabbitmq", "oracle", "db2inst1", "couchdb", "memcache", "memcached", "jenkins", "ftp", "proftpd", "vsftpd", "nagios", "zabbix", "bind", "named", "ntp", "chrony",
		"dovecot", "postfix", "exim", "squid", "asterisk", "minecraft", "teamspeak", "ts3", "nexus", "weblogic", "jboss", "wildfly", "glassfish", "influxdb", "grafana", "prometheus", "etcd", "consul", "vault":
		return true
	}
	return false
}

// shellName reports whether a program is a shell.
func shellName(name string) bool { return wrapperOf(name) == wrapsShell && name != "su" }

// onServiceShell: a service, or what it started, asks for a shell to talk to: an interactive one, or one with a terminal. Services start shells for their scripts all the time; those
// have a script or a command, and no terminal.
func onServiceShell(m *Machine, s *step) {
	if s.session.Login || s.process.Parent == nil && s.process.PID == 1 {
		return
	}
	c := &s.commands[0]
	if !shellName(c.Name) {
		return
	}
	interactive := s.process.TTY
	bare := true
	for _, a := range c.Args {
		if a == "-i" || a == "-il" || a == "-li" {
			interactive = true
		}
		if !strings.HasPrefix(a, "-") || a == "-c" {
			bare = false
		}
	}
	parent := s.process.Parent
	if !interactive || !bare || parent == nil || !serviceProgram(base(parent.File), base(parent.Image)) {
		return
	}
	f := s.find(&serviceAccount, 0.7, "shell", fmt.Sprintf("%s started an interactive shell", parent.File))
	m.report(f)
}

// serviceProgram reports whether a program is one that serves others and starts no shells to talk to.
func serviceProgram(names ...string) bool {
	for _, n := range names {
		switch n {
		case "java", "mysqld", "mariadbd", "postgres", "redis-server", "mongod", "nginx", "apache2", "httpd", "php-fpm", "node", "memcached", "beam.smp", "named", "vsftpd", "proftpd", "tomcat", "catalina.sh", "cassandra", "elasticsearch", "gunicorn", "uwsgi":
			return true
		}
		if strings.HasPrefix(n, "php-fpm") {
			return true
		}
	}
	return false
}

// miningMarks are in what miners are told.
var miningMarks = newMarks("stratum+tcp://", "stratum+ssl://", "stratum1+", "stratum2+", "--donate-level", "--nicehash", "--randomx", "--cpu-priority", "--coin=", "--algo=cryptonight", "cryptonight", "minexmr", "nanopool", "supportxmr", "xmrpool", "moneroocean", "nicehash.com", "minergate")

// onMining: what every miner is told, whatever it is called: a pool's address, a wallet, how much to give its author.
func onMining(m *Machine, s *step) {
	if s.clues.maybe() == 0 {
		return
	}
	for i := range s.commands {
		for _, a := range s.commands[i].Args {
			var one clues // a long line has all threes somewhere
			if one.add(miningMarks, a); one.maybe() == 0 {
				continue
			}
			low := lower(a)
			for j, mark := range miningMarks.texts {
				if !one.maybe().has(j) || !strings.Contains(low, mark) {
					continue
				}
				f := s.find(&mining, 0.85, mark, fmt.Sprintf("%s in the command line of %s", mark, program(&s.commands[i])))
				if at := strings.Index(low, "://"); at >= 0 {
					if d := domain("x" + a[at:]); d != "" {
						f.Domains = []string{d}
					}
				}
				f.Files = []string{within(s.process.Dir, s.commands[i].Path)}
				m.report(f)
				return
			}
		}
	}
}
