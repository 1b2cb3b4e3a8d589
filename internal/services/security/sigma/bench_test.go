package sigma

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/benchbar"
)

// BenchmarkMatch reports events per second of one core against 250 and 2,000 rules. The rules are SigmaHQ's, where they are, and variations of them.
func BenchmarkMatch(b *testing.B) {
	for _, n := range []int{250, 2000} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			s := manyRules(b, n)
			events := machineEvents(1024)
			values := make([][]byte, len(s.schema.Fields)) // used again for each event, as who reads records does
			var w Scratch
			matches, candidates := 0, 0
			for _, e := range events {
				copy(values, e[:])
				matches += len(s.Match(&w, SourceProcessCreation, values))
				candidates += ran(s, &w)
			}
			bar := benchbar.Start(b)
			b.ResetTimer()
			for i := range b.N {
				copy(values, events[i%len(events)][:])
				s.Match(&w, SourceProcessCreation, values)
			}
			b.StopTimer()
			bar.Allocs(0.01)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(matches)/float64(len(events)), "matches/event")
			b.ReportMetric(float64(candidates)/float64(len(events)), "candidates/event")
		})
	}
}

// ran counts how many rules were evaluated for the last event.
func ran(s *Set, w *Scratch) int {
	n := len(s.sources[SourceProcessCreation].always)
	for _, event := range w.ran[SourceProcessCreation] {
		if event == w.now {
			n++
		}
	}
	return n
}

// manyRules makes n rules for process starts: those there are, and variations of them in which most texts are other ones.
func manyRules(t testing.TB, n int) *Set {
	base := baseRules(t)
	rng := rand.New(rand.NewPCG(3, 4))
	c := &Collection{Rules: slices.Clone(base)}
	// A copy of a rule that has nothing but regular expressions would be the same rule.
	models := slices.DeleteFunc(slices.Clone(base), func(r *Rule) bool {
		texts := 0
		r.detection.walk(func(t *test) { texts += len(t.patterns) })
		return texts == 0
	})
	for i := len(base); i < n; i++ {
		r := *models[i%len(models)]
		r.ID, r.Title = fmt.Sprint("varied-", i), fmt.Sprint("Varied ", i)
		r.detection = vary(rng, r.detection)
		c.Rules = append(c.Rules, &r)
	}
	c.Rules = c.Rules[:n]
	s, problems, err := Compile(LinuxSchema(), c, Limits{})
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	return s
}

func baseRules(t testing.TB) []*Rule {
	root := os.Getenv("BULKHEAD_TESTDATA")
	if root == "" {
		root = "../../../../../shared/data"
	}
	c, _, err := Load(os.DirFS(filepath.Join(root, "security", "sigma")), Options{})
	if err != nil || len(c.Rules) == 0 {
		var problems []Problem
		if c, problems = Parse("base", []byte(ownRules), Options{}); len(problems) > 0 {
			t.Fatal(problems)
		}
	}
	return slices.DeleteFunc(c.Rules, func(r *Rule) bool { return r.LogSource.Category != "process_creation" })
}

// vary copies an expression with other texts in nine of ten places.
func vary(rng *rand.Rand, e *expr) *expr {
	c := *e
	c.kids = nil
	for _, k := range e.kids {
		c.kids = append(c.kids, vary(rng, k))
	}
	if e.test == nil || e.test.kind != testPattern {
		return &c
	}
	t := *e.test
	t.patterns = nil
	for _, p := range e.test.patterns {
		p = slices.Clone(p)
		for i := range p {
			if p[i].kind == pieceText && rng.IntN(10) != 0 {
				p[i].text = varyText(rng, p[i].text)
			}
		}
		t.patterns = append(t.patterns, p)
	}
	c.test = &t
	return &c
}

func varyText(rng *rand.Rand, s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			b[i] = 'a' + (c-'a'+byte(rng.IntN(26)))%26
		}
	}
	return string(b)
}

// machineEvents are process starts like those of a machine on which programs are built, packages installed and jobs run.
func machineEvents(n int) [][FieldTargetFilename][]byte {
	rng := rand.New(rand.NewPCG(5, 6))
	images := []string{
		"/usr/bin/git", "/usr/bin/bash", "/bin/sh", "/usr/bin/gcc", "/usr/lib/gcc/x86_64-linux-gnu/12/cc1", "/usr/bin/as", "/usr/bin/ld", "/usr/local/go/bin/go",
		"/usr/local/go/pkg/tool/linux_amd64/compile", "/usr/bin/node", "/usr/bin/npm", "/usr/bin/python3.11", "/usr/bin/sed", "/usr/bin/grep", "/usr/bin/cat",
		"/usr/bin/ls", "/usr/bin/rm", "/usr/bin/mkdir", "/usr/bin/cp", "/usr/bin/find", "/usr/bin/dpkg", "/usr/bin/apt-get", "/usr/sbin/cron", "/usr/bin/ssh",
		"/usr/sbin/sshd", "/usr/bin/tar", "/usr/bin/date", "/usr/bin/sleep", "/usr/bin/systemctl", "/usr/bin/id", "/usr/bin/uname", "/usr/bin/awk",
	}
	args := []string{
		"-c", "rev-parse --show-toplevel", "--git-dir", "-o build/main.o", "src/main.c", "-I/usr/include/x86_64-linux-gnu", "-O2 -g -Wall", "./...", "-trimpath",
		"-p internal/store", "install --no-audit", "run build", "-m pip install -r requirements.txt", "-e s/foo/bar/g", "-rn TODO .", "/etc/hosts", "-la /tmp",
		"-rf node_modules/.cache", "-p /srv/build/project/out", "--status-fd 11", "--configure -a", "update", "-tt build@10.0.0.7", "-D -R", "xzf archive.tar.gz",
		"+%Y-%m-%dT%H:%M:%S", "0.5", "is-active nginx", "-u", "-r", "'{print $1}'", "/srv/build/project/internal/services/index.test -test.run=TestAll",
		"https://registry.example/packages/left-pad", "--cached --name-only", "/var/log/app/current.log", "-type f -name *.go",
	}
	parents := []string{"/bin/bash /srv/build/project/scripts/build.sh --all", "make -j4 test", "/usr/sbin/cron -f", "-bash", "npm run build", "sshd: dev@pts/0"}
	var out [][FieldTargetFilename][]byte
	for range n {
		var v [FieldTargetFilename][]byte
		image := images[rng.IntN(len(images))]
		words := []string{image[strings.LastIndexByte(image, '/')+1:]}
		for range 1 + rng.IntN(5) {
			words = append(words, args[rng.IntN(len(args))])
		}
		parent := rng.IntN(len(parents))
		v[FieldImage], v[FieldCommandLine] = []byte(image), []byte(strings.Join(words, " "))
		v[FieldParentImage], v[FieldParentCommandLine] = []byte(images[parent]), []byte(parents[parent])
		v[FieldUser], v[FieldCurrentDirectory], v[FieldLogonID] = []byte("dev"), []byte("/srv/build/project"), []byte("1000")
		v[FieldProcessID], v[FieldParentProcessID] = fmt.Append(nil, rng.IntN(1<<20)), fmt.Append(nil, rng.IntN(1<<20))
		out = append(out, v)
	}
	return out
}

// ownRules stand for rules where SigmaHQ's are not.
const ownRules = `
title: Download
logsource: {category: process_creation, product: linux}
detection:
  img: {Image|endswith: [/wget, /curl]}
  cli: {CommandLine|contains: [' -O /tmp/', ' -o /dev/shm/']}
  condition: img and cli
---
title: Kit
logsource: {category: process_creation, product: linux}
detection:
  s:
    Image|endswith: /chmod
    CommandLine|contains|all: [' +x ', pscan, sshd]
  condition: s
---
title: Base
logsource: {category: process_creation, product: linux}
detection:
  s: {Image|endswith: /base64, CommandLine|contains: ' -d'}
  filter_main_build: {ParentImage|endswith: [/make, /go]}
  condition: s and not 1 of filter_main_*
---
title: Shell of a service
logsource: {category: process_creation, product: linux}
detection:
  s: {ParentImage|endswith: [/httpd, /nginx, /java, /mysqld], Image|endswith: [/sh, /bash, /dash]}
  condition: s
---
title: Hidden
logsource: {category: process_creation, product: linux}
detection:
  s:
    - CommandLine|re: '/\.[a-z]{1,8}/run'
    - CommandLine|contains: '/dev/shm/.'
  condition: s
`
