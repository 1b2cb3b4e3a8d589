package mysql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	driver "github.com/go-sql-driver/mysql"
)

// applyAsked carries out what was asked for by name: configurations, and databases to make or to drop. What the server refuses is taken back, and the operation that
// asked for it has failed; the rest is not held up by it.
func (e *engine) applyAsked(ctx context.Context, d *desired) error {
	settled := map[string]bool{}
	again := false
	for _, noun := range []string{nounSetting, nounDrop, nounDatabase} {
		for rest, a := range d.asked {
			name, ok := strings.CutPrefix(rest, noun+"|")
			if !ok {
				continue
			}
			refusal := ""
			if noun == nounSetting || !e.settled[a.operation] {
				err := e.execAll(ctx, d.statements(noun, name))
				var answer *driver.MySQLError
				switch {
				case errors.As(err, &answer) && !passing(answer.Number):
					refusal = fmt.Sprintf("The server refused it with error %d: %s", answer.Number, clip(answer.Message))
				case err != nil:
					return fmt.Errorf("%s: %w", noun, err)
				}
			}
			if noun == nounSetting && refusal == "" {
				continue
			}
			after := a.before
			if noun == nounDatabase && refusal == "" {
				var err error
				if after, err = databaseCodec.Encode(storedDatabase{d.databases[name], ""}); err != nil {
					return err
				}
			}
			if refusal == "" {
				e.settled[a.operation], settled[a.operation] = true, true
			}
			if err := e.host.service.settle(ctx, d.server.ID, a, after, refusal); err != nil {
				return fmt.Errorf("settle %s: %w", noun, err)
			}
			again = true
		}
	}
	e.settled = settled
	if !again {
		return nil
	}
	return e.reload(ctx)
}

// passing tells whether an error of the server's is of the moment: too many connections, shutting down, waits for locks that were too long.
func passing(number uint16) bool {
	return slices.Contains([]uint16{1037, 1040, 1041, 1053, 1205, 1213, 1317}, number)
}

// statements are what makes a wish true. Each may run again.
func (d *desired) statements(noun, name string) []string {
	switch noun {
	case nounSetting:
		p, ok := parameterNamed(name)
		if !ok || p.name == "max_connections" { // the gate keeps it
			return nil
		}
		return []string{p.assignment(d.settings[name])}
	case nounDrop:
		return []string{"DROP DATABASE IF EXISTS " + quoteName(name)}
	}
	db := d.databases[name]
	as := quoteName(name) + " CHARACTER SET " + db.Charset
	if db.Collation != "" {
		as += " COLLATE " + db.Collation
	}
	return []string{"CREATE DATABASE IF NOT EXISTS " + as, "ALTER DATABASE " + as}
}

func (e *engine) execAll(ctx context.Context, statements []string) error {
	for _, s := range statements {
		one, cancel := context.WithTimeout(ctx, statementTime)
		_, err := e.db.ExecContext(one, s)
		if cancel(); err != nil {
			return err
		}
	}
	return nil
}
