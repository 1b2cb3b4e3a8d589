package detect

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/detections.md anew")

// sources are the package's own files, parsed.
func sources(t *testing.T) (files []*ast.File) {
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	for _, n := range names {
		if strings.HasSuffix(n, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(set, n, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

// declared is one kind of alert as the source declares it.
type declared struct {
	variable, kind, name, severity, intent string
	techniques                             []string
	rules                                  []string // what the functions that raise it look for
}

func text(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, _ := strconv.Unquote(e.Value)
		return s
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// declarations are all kinds of alerts, and the first sentence about each function that raises one.
func declarations(t *testing.T) map[string]*declared {
	out := map[string]*declared{}
	files := sources(t)
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if !ok || len(v.Values) == 0 {
				return true
			}
			for i, x := range v.Values {
				c, ok := x.(*ast.CompositeLit)
				if !ok || text(c.Type) != "Alert" || len(c.Elts) < 5 {
					continue
				}
				d := &declared{variable: v.Names[i].Name, kind: text(c.Elts[0]), name: text(c.Elts[1]), severity: text(c.Elts[2]), intent: text(c.Elts[3])}
				if l, ok := c.Elts[4].(*ast.CompositeLit); ok {
					for _, e := range l.Elts {
						d.techniques = append(d.techniques, text(e))
					}
				}
				out[d.variable] = d
			}
			return true
		})
	}
	for _, f := range files {
		for _, x := range f.Decls {
			fn, ok := x.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			doc, _, _ := strings.Cut(strings.Join(strings.Fields(fn.Doc.Text()), " "), ". ")
			if _, rest, ok := strings.Cut(doc, ": "); ok && strings.HasPrefix(doc, fn.Name.Name) {
				doc = strings.TrimSuffix(rest, ".")
			} else if strings.HasPrefix(doc, fn.Name.Name+" judges") || strings.HasPrefix(doc, fn.Name.Name+" notes") {
				_, doc, _ = strings.Cut(strings.TrimSuffix(doc, "."), " ")
			} else if doc = ""; strings.HasPrefix(fn.Name.Name, "concernOf") || fn.Name.Name == "judge" {
				doc = "a file that tells is read, written or removed by a tool that anybody can use"
			}
			ast.Inspect(fn.Body, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok {
					if d := out[id.Name]; d != nil && doc != "" && !slices.Contains(d.rules, doc) {
						d.rules = append(d.rules, doc)
					}
				}
				return true
			})
		}
	}
	return out
}

// measured is what detection said of honest work that was recorded on a real machine. Recordings hold command lines as they were, so they are nobody's to publish.
const measured = `
## Measured

**Attacks**: ` + "`go test ./internal/services/security/detect -run TestAtomicRedTeam -v`" + ` prints how many tests of Atomic Red Team for Linux are detected, by technique and by tactic, and fails if a tactic has
fewer than 75 %, or 60 % at medium or higher. Their commands are turned into events and never run.

**Honest work**, recorded with tools/record and given to ` + "`bulkhead scan`" + `; what is Medium or higher, and incidents:

| recording | programs started | Medium or higher | incidents |
|---|---|---|---|
| packages, configure and make, Go, npm and Python builds, git, operations scripts, ssh, night jobs (analytics were tuned on it) | 200,908 | 5 | 0 |
| other work, before anything was tuned on it | 108,027 | 12 | 1 |
| the same, after | 108,027 | 2 | 0 |

The second recording is of installing, reinstalling and removing about 90 packages (13,156 and 13,776 programs), Rust, Java, C, Python, Perl and Node builds (1,045), git with hooks, bisect and
rewriting (1,014), Ansible playbooks and loops of ssh and sudo (4,775 in three runs, of which only the last ran the playbooks), checks of monitoring, cron's scripts and health reports (3,247, of
which 1,491 of the kernel's records were lost), backups with database dumps, tar, rsync, Borg, restic and gpg (1,432), renewals of certificates (3,313), people at work in shells (558), and lynis,
chkrootkit and rkhunter (65,711, of which nothing is Medium or higher; without these three it is 42,316 programs).

What it found, before: a backup with its passwords in a file was mass encryption and read password hashes (3 results and the incident), a script that mails the state of the machine was
reconnaissance and a search for setuid programs (2), a deployment by scp was download-then-run (2), substitutions in Ansible's folder names were deceptive names, its folders a kit (2), and a
person who looks about was reconnaissance, and emptied a log (3, one of them by a misread option). The causes were mended in general. Left are the person's reconnaissance and emptied log: an
intruder does just that.
`

// TestDetections: docs/detections.md has every alert that the analytics raise, and every threshold. go test -update writes it.
func TestDetections(t *testing.T) {
	t.Parallel()
	all := declarations(t)
	names := make([]string, 0, len(all))
	for n, d := range all {
		if d.kind == "" || d.name == "" || d.intent == "" || len(d.techniques) == 0 {
			t.Errorf("%s: %+v", n, d)
		}
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b string) int {
		return strings.Compare(all[a].intent+all[a].name+a, all[b].intent+all[b].name+b)
	})
	b := &strings.Builder{}
	b.WriteString("# What is detected\n\nWritten by `go test ./internal/services/security/detect -run TestDetections -update`. Types that begin with `VM_` are Azure's, the others Bulkhead's own.\n" +
		"An alert is raised for what a program does, not for what it is called; what package managers, configuration management, builds and backups do is known by the chain of their parents.\n\n" +
		"| intent | alert | type | severity | ATT&CK | looked for |\n|---|---|---|---|---|---|\n")
	for _, n := range names {
		d := all[n]
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", d.intent, d.name, d.kind, d.severity, strings.Join(d.techniques, " "), strings.ReplaceAll(strings.Join(d.rules, "; "), "|", "\\|"))
	}
	fmt.Fprintf(b, "\nSingle questions about the host (`BH_Ask...`) are Informational or Low, and told once an hour in a session: ")
	var single []string
	for i := range asks {
		if asks[i].Type != "" {
			single = append(single, asks[i].Type+" ("+strings.Join(asks[i].Techniques, " ")+")")
		}
	}
	fmt.Fprintf(b, "%s.\n\n## Thresholds\n\n| parameter | default |\n|---|---|\n", strings.Join(single, ", "))
	p := reflect.ValueOf(DefaultParams())
	for i := range p.NumField() {
		fmt.Fprintf(b, "| %s | %v |\n", p.Type().Field(i).Name, p.Field(i).Interface())
	}
	b.WriteString(measured)
	file := filepath.Join("..", "..", "..", "..", "docs", "detections.md")
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != b.String() {
		t.Error("docs/detections.md isn't what the analytics are; run the test with -update")
	}
}

// TestAtomicRedTeam_NotQuoted: no analytic quotes a test: no text of several words in the package's source stands in a test's commands.
func TestAtomicRedTeam_NotQuoted(t *testing.T) {
	t.Parallel()
	tests := attacks(t)
	for _, f := range sources(t) {
		ast.Inspect(f, func(n ast.Node) bool {
			l, ok := n.(*ast.BasicLit)
			if !ok || l.Kind != token.STRING {
				return true
			}
			s := text(l)
			low := strings.ToLower(s)
			if strings.Contains(low, "atomic") || strings.Contains(low, "redcanary") {
				t.Errorf("%q is a name of the tests'", s)
			}
			if len(strings.Fields(s)) < 3 {
				return true
			}
			for i := range tests {
				if strings.Contains(tests[i].text, s) {
					t.Errorf("%q stands in %s", s, &tests[i])
				}
			}
			return true
		})
	}
}
