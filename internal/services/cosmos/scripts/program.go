package scripts

import (
	"container/list"
	_ "embed"
	"errors"
	"regexp"
	"strings"
	"sync"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/parser"
)

//go:embed prelude.js
var preludeText string

// prelude is compiled once for the process.
var prelude = sync.OnceValues(func() (*goja.Program, error) { return goja.Compile("prelude.js", preludeText, false) })

// bare is a body that begins with a name, as in `f(x) { ... }`: clients that turn a method into text send it.
var bare = regexp.MustCompile(`^\s*[A-Za-z_$][\w$]*\s*\(`)

// compile makes a program whose value is the function. A body is a function, or a script whose first function declaration is the one.
func compile(name, body string) (*goja.Program, error) {
	if len(body) > MaxBody {
		return nil, &Error{Reason: Compile, Message: "SyntaxError: The script is too long: at most 262144 bytes are allowed."}
	}
	text := strings.TrimRight(strings.TrimPrefix(body, "\ufeff"), " \t\r\n;")
	source := "(" + text + "\n)"
	tree, err := parse(name, source)
	if err != nil || !isFunction(tree) {
		if script, ok := script(name, text); ok {
			source = script
		} else if method := "(function " + text + "\n)"; err != nil && bare.MatchString(text) {
			if t, methodErr := parse(name, method); methodErr == nil && isFunction(t) {
				source, err = method, nil
			}
		} else if err == nil {
			err = errors.New("SyntaxError: The body must be a function")
		}
		if source != "("+text+"\n)" {
			err = nil
		}
	}
	if err != nil {
		return nil, compileError(err)
	}
	p, err := goja.Compile(name, source, false)
	if err != nil {
		return nil, compileError(err)
	}
	return p, nil
}

func compileError(err error) *Error {
	message := err.Error()
	if !strings.HasPrefix(message, "SyntaxError") {
		message = "SyntaxError: " + message
	}
	return &Error{Reason: Compile, Message: message}
}

func parse(name, source string) (*ast.Program, error) {
	return parser.ParseFile(nil, name, source, 0, parser.WithDisableSourceMaps)
}

func isFunction(tree *ast.Program) bool {
	if len(tree.Body) != 1 {
		return false
	}
	s, ok := tree.Body[0].(*ast.ExpressionStatement)
	if !ok {
		return false
	}
	switch s.Expression.(type) {
	case *ast.FunctionLiteral, *ast.ArrowFunctionLiteral:
		return true
	}
	return false
}

// script turns a body of several statements into one whose value is the first function it declares.
func script(name, text string) (string, bool) {
	tree, err := parse(name, text)
	if err != nil {
		return "", false
	}
	for _, s := range tree.Body {
		if f, ok := s.(*ast.FunctionDeclaration); ok && f.Function.Name != nil {
			return "(function(){" + text + "\n;return " + string(f.Function.Name.Name) + ";})()", true
		}
	}
	return "", false
}

// programs keeps compiled programs, the ones used last. Safe for concurrent use.
type programs struct {
	mu    sync.Mutex
	order *list.List // of *compiled, the newest first
	by    map[string]*list.Element
	bytes int
}

type compiled struct {
	key     string
	program *goja.Program
}

// Bounds of programs.
const (
	maxPrograms     = 512
	maxProgramBytes = 16 << 20 // of source
)

func newPrograms() *programs { return &programs{order: list.New(), by: map[string]*list.Element{}} }

func (c *programs) get(name, body string) (*goja.Program, error) {
	key := name + "\x00" + body
	c.mu.Lock()
	if e := c.by[key]; e != nil {
		c.order.MoveToFront(e)
		p := e.Value.(*compiled).program
		c.mu.Unlock()
		return p, nil
	}
	c.mu.Unlock()
	p, err := compile(name, body)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by[key] == nil {
		c.by[key] = c.order.PushFront(&compiled{key, p})
		c.bytes += len(key)
	}
	for len(c.by) > maxPrograms || c.bytes > maxProgramBytes {
		oldest := c.order.Back()
		k := c.order.Remove(oldest).(*compiled).key
		delete(c.by, k)
		c.bytes -= len(k)
	}
	return p, nil
}
