package persona

// The releases, each with the sshd and the kernel that it ships.
var systems = []System{
	{
		"ubuntu", "Ubuntu", "Ubuntu 20.04.6 LTS", "20.04", "focal", "5.4.0-182-generic", "#202-Ubuntu SMP Fri Apr 26 12:29:36 UTC 2024",
		"gcc version 9.4.0 (Ubuntu 9.4.0-1ubuntu1~20.04.2)", "SSH-2.0-OpenSSH_8.2p1 Ubuntu-4ubuntu0.11", "5.0.17(1)-release",
	},
	{
		"ubuntu", "Ubuntu", "Ubuntu 22.04.4 LTS", "22.04", "jammy", "5.15.0-113-generic", "#123-Ubuntu SMP Mon Jun 10 08:16:17 UTC 2024",
		"gcc (Ubuntu 11.4.0-1ubuntu1~22.04) 11.4.0", "SSH-2.0-OpenSSH_8.9p1 Ubuntu-3ubuntu0.10", "5.1.16(1)-release",
	},
	{
		"debian", "Debian GNU/Linux", "Debian GNU/Linux 11 (bullseye)", "11", "bullseye", "5.10.0-29-amd64", "#1 SMP Debian 5.10.216-1 (2024-05-03)",
		"gcc-10 (Debian 10.2.1-6) 10.2.1 20210110", "SSH-2.0-OpenSSH_8.4p1 Debian-5+deb11u3", "5.1.4(1)-release",
	},
	{
		"debian", "Debian GNU/Linux", "Debian GNU/Linux 12 (bookworm)", "12", "bookworm", "6.1.0-22-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.94-1 (2024-06-21)",
		"gcc-12 (Debian 12.2.0-14) 12.2.0", "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u2", "5.2.15(1)-release",
	},
}

var processors = []CPU{
	{Vendor: "GenuineIntel", Name: "Intel(R) Xeon(R) CPU E5-2673 v4 @ 2.30GHz", Family: 6, Model: 79, Stepping: 1, CacheKB: 51200},
	{Vendor: "GenuineIntel", Name: "Intel(R) Xeon(R) Platinum 8171M CPU @ 2.60GHz", Family: 6, Model: 85, Stepping: 4, CacheKB: 36608},
	{Vendor: "GenuineIntel", Name: "Intel(R) Xeon(R) Platinum 8272CL CPU @ 2.60GHz", Family: 6, Model: 85, Stepping: 7, CacheKB: 36608},
	{Vendor: "GenuineIntel", Name: "Intel(R) Xeon(R) Gold 6226R CPU @ 2.90GHz", Family: 6, Model: 85, Stepping: 7, CacheKB: 22528},
	{Vendor: "GenuineIntel", Name: "Intel(R) Xeon(R) CPU E5-2650 v2 @ 2.60GHz", Family: 6, Model: 62, Stepping: 4, CacheKB: 20480},
	{Vendor: "AuthenticAMD", Name: "AMD EPYC 7452 32-Core Processor", Family: 23, Model: 49, Stepping: 0, CacheKB: 512},
	{Vendor: "AuthenticAMD", Name: "AMD EPYC 7763 64-Core Processor", Family: 25, Model: 1, Stepping: 1, CacheKB: 512},
}

var servicesOf = []Service{
	{"cassandra", "cassandra", "java -ea -XX:+UseThreadPriorities -XX:+HeapDumpOnOutOfMemoryError -Xss256k -Dcassandra.logdir=/var/log/cassandra org.apache.cassandra.service.CassandraDaemon", 9042, "/var/lib/cassandra"},
	{"mysqld", "mysql", "/usr/sbin/mysqld", 3306, "/nonexistent"},
	{"nginx", "www-data", "nginx: worker process", 80, "/var/www"},
	{"java", "jenkins", "/usr/bin/java -Djava.awt.headless=true -jar /usr/share/java/jenkins.war --webroot=/var/cache/jenkins/war --httpPort=8080", 8080, "/var/lib/jenkins"},
	{"redis-server", "redis", "/usr/bin/redis-server 0.0.0.0:6379", 6379, "/var/lib/redis"},
	{"postgres", "postgres", "/usr/lib/postgresql/13/bin/postgres -D /var/lib/postgresql/13/main", 5432, "/var/lib/postgresql"},
}

const nologin = "/usr/sbin/nologin"

var systemUsers = []User{
	{"daemon", 1, 1, "daemon", "/usr/sbin", nologin, ""},
	{"bin", 2, 2, "bin", "/bin", nologin, ""},
	{"sys", 3, 3, "sys", "/dev", nologin, ""},
	{"sync", 4, 65534, "sync", "/bin", "/bin/sync", ""},
	{"games", 5, 60, "games", "/usr/games", nologin, ""},
	{"man", 6, 12, "man", "/var/cache/man", nologin, ""},
	{"lp", 7, 7, "lp", "/var/spool/lpd", nologin, ""},
	{"mail", 8, 8, "mail", "/var/mail", nologin, ""},
	{"news", 9, 9, "news", "/var/spool/news", nologin, ""},
	{"uucp", 10, 10, "uucp", "/var/spool/uucp", nologin, ""},
	{"proxy", 13, 13, "proxy", "/bin", nologin, ""},
	{"www-data", 33, 33, "www-data", "/var/www", nologin, ""},
	{"backup", 34, 34, "backup", "/var/backups", nologin, ""},
	{"list", 38, 38, "Mailing List Manager", "/var/list", nologin, ""},
	{"irc", 39, 39, "ircd", "/run/ircd", nologin, ""},
	{"nobody", 65534, 65534, "nobody", "/nonexistent", nologin, ""},
	{"systemd-network", 100, 102, "systemd Network Management,,,", "/run/systemd", nologin, ""},
	{"systemd-resolve", 101, 103, "systemd Resolver,,,", "/run/systemd", nologin, ""},
	{"messagebus", 102, 105, "", "/nonexistent", nologin, ""},
	{"systemd-timesync", 103, 106, "systemd Time Synchronization,,,", "/run/systemd", nologin, ""},
	{"sshd", 104, 65534, "", "/run/sshd", nologin, ""},
}

var given = []string{"Anna", "Mark", "Ioana", "Peter", "Lena", "Tomas", "Sara", "Daniel", "Marta", "Jonas", "Nadia", "Oliver", "Paula", "Victor", "Helen", "Simon"}

var family = []string{"Novak", "Berg", "Lindner", "Kovacs", "Moreau", "Rossi", "Keller", "Hansen", "Fischer", "Olsen", "Weber", "Marin", "Costa", "Dvorak", "Price", "Walsh"}

// packagesOf have versions with room for three drawn numbers. One without a remark is always there.
var packagesOf = []Package{
	{"adduser", "3.11%d+nmu%d.%d", "add and remove users and groups"},
	{"apt", "2.%d.%d.%d", "commandline package manager"},
	{"base-files", "1%d.%d.%d", "Debian base system miscellaneous files"},
	{"bash", "5.%d-%d.%d", "GNU Bourne Again SHell"},
	{"bsdutils", "1:2.3%d.%d-%d", "basic utilities from 4.4BSD-Lite"},
	{"ca-certificates", "2023%d%02d~%d", "Common CA certificates"},
	{"coreutils", "8.3%d-%d.%d", "GNU core utilities"},
	{"cron", "3.0pl1-13%d.%d+%d", "process scheduling daemon"},
	{"curl", "7.%d8.%d-%d", "command line tool for transferring data with URL syntax"},
	{"dash", "0.5.1%d+%d-%d", "POSIX-compliant shell"},
	{"dbus", "1.1%d.%d-%d", "simple interprocess messaging system"},
	{"dpkg", "1.2%d.%d.%d", "Debian package management system"},
	{"findutils", "4.%d.%d-%d", "utilities for finding files"},
	{"grep", "3.%d-%d.%d", "GNU grep, egrep and fgrep"},
	{"gzip", "1.1%d-%d.%d", "GNU compression utilities"},
	{"iproute2", "5.1%d.%d-%d", "networking and traffic control tools"},
	{"iptables", "1.8.%d-%d.%d", "administration tools for packet filtering and NAT"},
	{"less", "55%d-%d.%d", "pager program similar to more"},
	{"libc6", "2.3%d-%d.%d", "GNU C Library: Shared libraries"},
	{"logrotate", "3.1%d.%d-%d", "Log rotation utility"},
	{"mount", "2.3%d.%d-%d", "tools for mounting and manipulating filesystems"},
	{"nano", "5.%d-%d.%d", "small, friendly text editor inspired by Pico"},
	{"net-tools", "1.60+git%d.%d-%d", "NET-3 networking toolkit"},
	{"openssh-server", "1:8.%dp1-%d.%d", "secure shell (SSH) server, for secure access from remote machines"},
	{"openssl", "1.1.%d-%d.%d", "Secure Sockets Layer toolkit - cryptographic utility"},
	{"passwd", "1:4.%d-%d.%d", "change and administer password and group data"},
	{"perl-base", "5.3%d.%d-%d", "minimal Perl system"},
	{"procps", "2:3.3.%d-%d.%d", "/proc file system utilities"},
	{"rsyslog", "8.2%d.%d-%d", "reliable system and kernel logging daemon"},
	{"sed", "4.%d-%d.%d", "GNU stream editor for filtering/transforming text"},
	{"sudo", "1.9.%dp%d-%d", "Provide limited super user privileges to specific users"},
	{"systemd", "24%d.%d-%d", "system and service manager"},
	{"tar", "1.3%d+%d-%d", "GNU version of the tar archiving utility"},
	{"tzdata", "2024%d-%d.%d", "time zone and daylight-saving time data"},
	{"util-linux", "2.3%d.%d-%d", "miscellaneous system utilities"},
	{"vim-tiny", "2:8.%d.%d-%d", "Vi IMproved - enhanced vi editor - compact version"},
	{"wget", "1.2%d.%d-%d", "retrieves files from the web"},
	{"xz-utils", "5.%d.%d-%d", "XZ-format compression utilities"},
	{"zlib1g", "1:1.2.%d-%d.%d", "compression library - runtime"},
}
