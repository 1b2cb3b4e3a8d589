package host

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func write(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		full := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	d := Describe(write(t, map[string]string{
		"etc/os-release":           "NAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\n",
		"proc/sys/kernel/hostname": "web-1\n", "proc/sys/kernel/osrelease": "6.1.0-18-amd64\n", "proc/meminfo": "MemTotal:        2048 kB\nMemFree: 1 kB\n",
		"etc/passwd": "root:x:0:0::/root:/bin/bash\ntoor:x:0:0::/:/bin/sh\ncassandra:x:105:1::/var/lib/cassandra:/bin/bash\nmysql:x:106:1::/:/usr/sbin/nologin\njoe:x:1000:1::/:/bin/sh\nann:x:1001:1::/:/bin/sh\n",
		"etc/shadow": "root:!:1::::::\ncassandra:$6$S3cr3t:1::::::\nmysql:$6$S3cr3t:1::::::\njoe::1::::::\nann:$y$S3cr3t:1::::::\n",
	}))
	if d.OSName != "Debian GNU/Linux" || d.OSVersion != "12" || d.Host != "web-1" || d.Detected["totalPhysicalMemoryInBytes"] != "2097152" {
		t.Errorf("got %+v", d)
	}
	want := map[string]string{
		"kernel.release": "6.1.0-18-amd64", "accounts.superusers": "toor", "accounts.passwords": "2", "accounts.emptypasswords": "joe", "accounts.servicepasswords": "cassandra",
	}
	if diff := cmp.Diff(want, d.Facts); diff != "" {
		t.Error(diff)
	}
	for _, v := range d.Facts {
		if strings.Contains(v, "S3cr3t") {
			t.Errorf("a hash is told: %s", v)
		}
	}
	if d := Describe(t.TempDir()); len(d.Facts) != 0 || d.OSName == "" {
		t.Errorf("of a machine that says nothing: %+v", d)
	}
}

func TestSSHD(t *testing.T) {
	t.Parallel()
	usual := map[string]string{
		"sshd.passwordauthentication": "yes", "sshd.permitrootlogin": "prohibit-password", "sshd.permitemptypasswords": "no", "sshd.port": "22",
	}
	for name, c := range map[string]struct {
		files map[string]string
		want  map[string]string
	}{
		"empty":         {map[string]string{"sshd_config": "\n# PasswordAuthentication no\n"}, nil},
		"keys only":     {map[string]string{"sshd_config": "PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM yes\n"}, map[string]string{"sshd.passwordauthentication": "no"}},
		"through PAM":   {map[string]string{"sshd_config": "passwordauthentication no\nUsePAM yes\n"}, nil},
		"first counts":  {map[string]string{"sshd_config": "PasswordAuthentication=no\nPasswordAuthentication yes\nPort 2222\nPort 22\n"}, map[string]string{"sshd.passwordauthentication": "no", "sshd.port": "2222,22"}},
		"for somebody":  {map[string]string{"sshd_config": "PasswordAuthentication no\nMatch User joe\n  PasswordAuthentication yes\nMatch all\nPermitRootLogin yes\n"}, map[string]string{"sshd.permitrootlogin": "yes"}},
		"in a fragment": {map[string]string{"sshd_config": "Include sshd_config.d/*.conf\nPasswordAuthentication yes\n", "sshd_config.d/50.conf": "PasswordAuthentication no\nPermitRootLogin without-password\n"}, map[string]string{"sshd.passwordauthentication": "no"}},
		"in a circle":   {map[string]string{"sshd_config": "Include sshd_config\nPermitEmptyPasswords yes\n"}, map[string]string{"sshd.permitemptypasswords": "yes"}},
	} {
		files := map[string]string{}
		for k, v := range c.files {
			files["etc/ssh/"+k] = v
		}
		want := maps.Clone(usual)
		maps.Copy(want, c.want)
		if diff := cmp.Diff(want, Describe(write(t, files)).Facts); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func FuzzSSHD(f *testing.F) {
	f.Add("PasswordAuthentication no\nMatch User x\nInclude *\n")
	f.Fuzz(func(t *testing.T, s string) {
		c := sshdConfig{root: t.TempDir(), first: map[string]string{}}
		c.read([]byte(s), 0)
	})
}
