// Package archtest keeps the structure: which package may import which, how long a file may be, and that what is exported is explained.
package archtest

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/bulkheadhq/bulkhead/"

// layers from the bottom up. A package may import its own layer's earlier rows and everything below; a service imports no other service.
var layers = []string{
	"internal/fault", "internal/ids", "internal/clock", "internal/benchbar", "internal/slack",
	"internal/infer",
	"internal/store", "internal/seal", "internal/backup", "internal/outbox", "internal/pki", "internal/proc", "internal/ociimage",
	"agent",
	"internal/honeypot",
	"internal/netrule", "internal/cors", "internal/authn", "internal/wire", "internal/audit", "internal/names", "internal/telemetry",
	"internal/arm",
	"internal/metrics", "internal/alerting", "internal/notify",
	"internal/reach",
	"internal/services",
	"internal/app",
	"cmd", "examples",
}

const (
	maxLines = 600
	services = "internal/services/"
)

// file is one parsed Go file of the main module, with paths relative to its root.
type file struct {
	path, pkg string
	lines     int
	generated bool
	ast       *ast.File
	set       *token.FileSet
}

func (f file) test() bool { return strings.HasSuffix(f.path, "_test.go") }

func load(t *testing.T) []file {
	t.Helper()
	const root = "../.."
	var files []file
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, p)
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			// A folder with its own go.mod is another module.
			if _, err := os.Stat(filepath.Join(p, "go.mod")); (err == nil && rel != ".") || strings.HasPrefix(d.Name(), ".") && rel != "." {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(rel) != ".go" {
			return nil
		}
		src, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		tree, err := parser.ParseFile(set, rel, src, parser.ParseComments)
		if err != nil {
			return err
		}
		files = append(files, file{
			path: rel, pkg: path.Dir(rel), lines: bytes.Count(src, []byte("\n")), generated: ast.IsGenerated(tree), ast: tree, set: set,
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 20 {
		t.Fatalf("found %d Go files; is the test in its place?", len(files))
	}
	return files
}

func rank(pkg string) int {
	for i, l := range layers {
		if pkg == l || strings.HasPrefix(pkg, l+"/") {
			return i
		}
	}
	return -1
}

// service returns the name of the service a package belongs to, or "".
func service(pkg string) string {
	rest, ok := strings.CutPrefix(pkg, services)
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	return name
}

func TestArrows(t *testing.T) {
	for _, f := range load(t) {
		if f.pkg == "internal/archtest" {
			continue
		}
		from := rank(f.pkg)
		if from < 0 {
			t.Errorf("%s: package %s has no layer; add it to the list here and to DESIGN's", f.path, f.pkg)
			continue
		}
		for _, imp := range f.ast.Imports {
			name, _ := strconv.Unquote(imp.Path.Value)
			to, ours := strings.CutPrefix(name, module)
			if !ours {
				continue
			}
			switch r := rank(to); {
			case r < 0:
				t.Errorf("%s imports %s, which has no layer", f.path, to)
			case r > from && !f.test():
				t.Errorf("%s (%s) imports upwards: %s", f.path, layers[from], to)
			case r > from && service(to) != "" && service(f.pkg) == "":
				t.Errorf("%s: the test of a lower layer imports the service %s", f.path, to)
			case service(f.pkg) != "" && service(to) != "" && service(to) != service(f.pkg):
				t.Errorf("%s: service %s imports service %s", f.path, service(f.pkg), service(to))
			}
		}
	}
}

func TestFileLength(t *testing.T) {
	for _, f := range load(t) {
		if f.lines > maxLines && !f.test() && !f.generated && !strings.HasSuffix(f.path, "_table.go") {
			t.Errorf("%s has %d lines, more than %d: it has become two things", f.path, f.lines, maxLines)
		}
	}
}

func TestPackageComments(t *testing.T) {
	documented := map[string]bool{}
	for _, f := range load(t) {
		if f.test() {
			continue
		}
		documented[f.pkg] = documented[f.pkg] || f.ast.Doc.Text() != ""
	}
	for pkg, ok := range documented {
		if !ok {
			t.Errorf("package %s has no package comment", pkg)
		}
	}
}

func TestExportedNamesExplained(t *testing.T) {
	for _, f := range load(t) {
		if f.test() || f.generated || f.ast.Name.Name == "main" {
			continue
		}
		for _, d := range f.ast.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc.Text() == "" && (d.Recv == nil || receiverExported(d)) {
					t.Errorf("%s: %s has no comment", f.set.Position(d.Pos()), d.Name.Name)
				}
			case *ast.GenDecl:
				checkGroup(t, f, d)
			}
		}
	}
}

func checkGroup(t *testing.T, f file, d *ast.GenDecl) {
	for _, s := range d.Specs {
		switch s := s.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() && d.Doc.Text() == "" && s.Doc.Text() == "" {
				t.Errorf("%s: type %s has no comment", f.set.Position(s.Pos()), s.Name.Name)
			}
		case *ast.ValueSpec:
			for _, n := range s.Names {
				if n.IsExported() && d.Doc.Text() == "" && s.Doc.Text() == "" && s.Comment.Text() == "" {
					t.Errorf("%s: %s has no comment", f.set.Position(n.Pos()), n.Name)
				}
			}
		}
	}
}

func receiverExported(d *ast.FuncDecl) bool {
	if len(d.Recv.List) == 0 {
		return false
	}
	e := d.Recv.List[0].Type
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.IndexListExpr:
			e = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}

// forbidden words would tie the text to one machine.
func TestNoMachinePaths(t *testing.T) {
	for _, f := range load(t) {
		if f.pkg == "internal/archtest" || f.pkg == "internal/honeypot" || strings.HasPrefix(f.pkg, "internal/honeypot/") { // the decoy makes up a machine, homes and all
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING && strings.Contains(l.Value, "/home/") && !strings.Contains(l.Value, "/home/LogFiles") && !strings.Contains(l.Value, "/home/site") {
				t.Errorf("%s: %s names a home folder", f.set.Position(l.Pos()), l.Value)
			}
			return true
		})
	}
}
