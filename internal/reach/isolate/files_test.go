package isolate

import (
	"slices"
	"strings"
	"testing"
)

func TestHostsFile(t *testing.T) {
	got := hostsFile(testHosts, "box")
	for _, want := range []string{"127.0.0.1 localhost\n", "::1 localhost\n", "127.0.0.1 box\n", "127.0.0.1 login.microsoftonline.com\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("hosts lacks %q:\n%s", want, got)
		}
	}
	for _, bad := range []string{"vault.azure.net", "scm.azurewebsites.net", "own.test"} {
		if strings.Contains(got, bad) {
			t.Errorf("hosts names %s, which is only the end of names:\n%s", bad, got)
		}
	}
}

func TestSwitchFile(t *testing.T) {
	for in, want := range map[string]string{
		"":                         "hosts: files dns\n",
		"passwd: files\n":          "passwd: files\nhosts: files dns\n",
		"# hosts: x\nhosts: mdns4": "# hosts: x\nhosts: files dns\n",
		"hosts:  files resolve [!UNAVAIL=return] dns\nnetworks: files": "hosts: files dns\nnetworks: files\n",
	} {
		if got := switchFile(in); got != want {
			t.Errorf("switchFile(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestEnviron(t *testing.T) {
	got := Environ([]string{"HTTPS_PROXY=x", "no_proxy=y", "All_Proxy=z", "PATH=/bin", "MY_PROXY=kept", "X=http_proxy=1"})
	if want := []string{"PATH=/bin", "MY_PROXY=kept", "X=http_proxy=1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
