package query

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// functionsOf is a UDF made of Go functions.
type functionsOf map[string]func(args []Value) (Value, error)

func (m functionsOf) Call(ctx context.Context, name string, args []Value) (Value, error) {
	if err := ctx.Err(); err != nil {
		return Undefined, err
	}
	if f := m[name]; f != nil {
		return f(args)
	}
	return Undefined, ErrNoUDF
}

func TestUDF(t *testing.T) {
	env := Env{UDF: functionsOf{
		"json": func(args []Value) (Value, error) {
			var out []byte
			for _, a := range args {
				out = append(a.AppendJSON(append(out, '<')), '>')
			}
			return String(string(out)), nil
		},
		"make":  func([]Value) (Value, error) { return ParseValue([]byte(`{"a":[1,2]}`)) },
		"throw": func([]Value) (Value, error) { return Undefined, fault.New(fault.Invalid, "BadRequest", "thrown") },
	}}
	for sql, want := range map[string]string{
		`SELECT VALUE udf.json(c.n, c.s, c.o.a, c.missing, null) FROM c`:     `"<7><\"Hello\"><1><><null>"`,
		`SELECT VALUE udf.make().a[1] FROM c WHERE udf.json(c.t) = "<true>"`: `2`,
		`SELECT VALUE udf.json(udf.json())`:                                  `"<\"\">"`,
	} {
		page, err := Run(context.Background(), mustCompile(t, sql, nil).With(env), docsOf(sample), Limits{}, State{})
		if err != nil || len(page.Rows) != 1 || string(page.Rows[0]) != want {
			t.Errorf("%s: got %s, %v; want %s", sql, page.Rows, err, want)
		}
	}
	thrown := mustCompile(t, `SELECT VALUE c.id FROM c WHERE udf.throw(c)`, nil).With(env)
	if _, err := Run(context.Background(), thrown, docsOf(sample), Limits{}, State{}); !fault.Is(err, fault.Invalid) || fault.As(err).Message != "thrown" {
		t.Errorf("a function that throws: got %v, want its fault", err)
	}
	if _, err := thrown.NewEvaluator().Match([]byte(sample)); !fault.Is(err, fault.Invalid) {
		t.Errorf("a function that throws, in Match: got %v, want its fault", err)
	}
	none := mustCompile(t, `SELECT udf.f(1), udf.g(udf.f(2))`, nil)
	if got := strings.Join(none.UDFs(), " "); got != "f g" {
		t.Errorf("UDFs got %q, want f and g", got)
	}
	for _, p := range []*Program{none, none.With(env)} {
		_, err := Run(context.Background(), p, docsOf(), Limits{}, State{})
		var e *Error
		if !errors.As(err, &e) || !fault.Is(err, fault.Invalid) || e.Diagnostics[0].Location.Start != 7 || !strings.Contains(e.Error(), "udf.f") {
			t.Errorf("an unknown function: got %v, want a 400 that names udf.f at 7", err)
		}
	}
}
