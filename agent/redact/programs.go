package redact

import "bytes"

// rule says which options of a program have secrets as values.
type rule struct {
	options []secretOption
	bare    int  // the word of this number after the program's name, options not counted, is a secret
	wraps   bool // its first word is another program, with rules of its own
	after   byte // only what follows the first of it in a value is: user:password
}

// secretOption is an option with a secret as its value, in the argument itself or in the next one.
type secretOption struct {
	name     string
	joined   bool // -pVALUE
	separate bool // -p VALUE
}

// ruleOf is what is known of a program.
func ruleOf(name string) (rule, bool) {
	one := func(after byte, options ...secretOption) (rule, bool) {
		return rule{options: options, after: after}, true
	}
	both := func(name string) secretOption { return secretOption{name, true, true} }
	switch name {
	case "mysql", "mysqldump", "mysqladmin", "mysqlimport", "mysqlcheck", "mariadb", "mariadb-dump", "mariadb-admin":
		return one(0, secretOption{name: "-p", joined: true})
	case "sshpass":
		return rule{options: []secretOption{both("-p")}, wraps: true}, true
	case "mongo", "mongosh", "mongodump", "mongorestore", "sqlplus", "docker", "podman", "skopeo", "helm", "useradd", "usermod", "az", "xfreerdp", "rdesktop":
		return one(0, both("-p"))
	case "redis-cli":
		return one(0, both("-a"))
	case "curl":
		return one(':', both("-u"), secretOption{name: "--user", separate: true}, both("-U"), secretOption{name: "--proxy-user", separate: true})
	case "smbclient", "rpcclient", "net", "smbmap", "wmic", "winexe":
		return one('%', both("-U"), secretOption{name: "--user", separate: true})
	case "ldapsearch", "ldapadd", "ldapmodify", "ldapdelete", "ldappasswd", "ldapwhoami":
		return one(0, both("-w"), both("-s"))
	case "openssl":
		return one(':', secretOption{name: "-passin", separate: true}, secretOption{name: "-passout", separate: true}, secretOption{name: "-pass", separate: true}, secretOption{name: "-k", separate: true},
			secretOption{name: "-K", separate: true})
	case "zip", "unzip", "sqlcmd", "bcp":
		return one(0, both("-P"))
	case "7z", "7za", "7zr", "rar", "unrar":
		return one(0, secretOption{name: "-p", joined: true}, secretOption{name: "-hp", joined: true})
	case "snmpwalk", "snmpget", "snmpset", "snmpbulkwalk":
		return one(0, both("-c"), both("-A"), both("-X"))
	case "ipmitool":
		return one(0, both("-P"))
	case "htpasswd":
		return rule{options: []secretOption{}, bare: 3}, true
	}
	return rule{}, false
}

// option redacts an option that has a secret in itself, or tells that the next argument is one.
func (r *rule) option(a []byte) (redacted []byte, next bool) {
	for _, o := range r.options {
		switch {
		case string(a) == o.name:
			if o.separate {
				return nil, true
			}
		case o.joined && bytes.HasPrefix(a, []byte(o.name)) && a[1] != '-':
			return append([]byte(o.name), r.value(a[len(o.name):])...), false
		}
	}
	return nil, false
}

// value redacts an option's value.
func (r *rule) value(v []byte) []byte {
	if r.after != 0 {
		i := bytes.IndexByte(v, r.after)
		if i < 0 || i+1 == len(v) {
			if r.options != nil && r.options[0].name == "-passin" { // a key given as such
				return []byte(Mask)
			}
			return v // a user alone
		}
		return append(append([]byte(nil), v[:i+1]...), Mask...)
	}
	return []byte(Mask)
}

// word is one of a command line, without its quotes.
type word struct {
	text     []byte
	from, to int
	begins   bool // a new command
}

// split takes a shell's command line apart, well enough to find programs and their options.
func split(a []byte) []word {
	var out []word
	begins := true
	for i := 0; i < len(a); {
		switch c := a[i]; c {
		case ' ', '\t':
			i++
		case ';', '|', '&', '\n', '(', ')', '`':
			begins = true
			i++
		case '\'', '"':
			end := bytes.IndexByte(a[i+1:], c)
			if end < 0 {
				end = len(a) - i - 1
			}
			out = append(out, word{text: a[i+1 : i+1+end], from: i + 1, to: i + 1 + end, begins: begins})
			begins = false
			i += end + 2
		default:
			end := i + 1
			for end < len(a) && bytes.IndexByte([]byte(" \t;|&\n()`"), a[end]) < 0 {
				end++
			}
			out = append(out, word{text: a[i:end], from: i, to: end, begins: begins})
			begins = false
			i = end
		}
	}
	return out
}
