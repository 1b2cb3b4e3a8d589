package mysql

import (
	"context"
	"fmt"
	"strings"
)

// tryApply makes the server what it is to be; false if it could not now. Statements are ones that may run again.
func (e *engine) tryApply(ctx context.Context) bool {
	d := e.wanted()
	err := e.apply(ctx, d)
	if err != nil {
		e.admin = "" // told anew to a server that comes back
		if ctx.Err() == nil {
			e.host.service.deps.Log.Debug("database server not ready", "server", d.server.ID, "error", err)
		}
		return false
	}
	e.applied = true
	e.mu.Lock()
	e.starts = 0
	e.st.Ready, e.st.Failed, e.st.Problem = true, false, ""
	e.st.Held, e.st.NotHeld = e.host.groups.hold(e.guid, 0, d.limits, e.folder) // it may have been scaled
	e.mu.Unlock()
	e.sample(ctx)  // storage may have grown: what was read-only is writable at once
	if e.applied { // it still answers, and its storage is as it has to be
		e.set(func(s *status) { s.Applied = d.lsn })
	}
	return true
}

func (e *engine) apply(ctx context.Context, d *desired) error {
	whole := ctx
	ctx, cancel := context.WithTimeout(ctx, statementTime)
	defer cancel()
	var version string
	connect, done := context.WithTimeout(ctx, e.host.patience)
	defer done()
	if err := e.db.QueryRowContext(connect, "SELECT VERSION()").Scan(&version); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	e.set(func(s *status) { s.Engine = version })
	statements := []string{
		fmt.Sprintf("SET GLOBAL max_connections = %d", d.limits.Connections+ownConnections),
		fmt.Sprintf("SET GLOBAL innodb_buffer_pool_size = %d", bufferPool(d.limits)),
	}
	for _, p := range parameters() {
		if p.name == "max_connections" { // the gate keeps it
			continue
		}
		if _, ok := d.asked[nounSetting+"|"+p.name]; !ok {
			statements = append(statements, p.assignment(p.standard(d.limits)))
		}
	}
	for _, s := range statements {
		if _, err := e.db.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", strings.Fields(s)[0]+" "+strings.Fields(s)[1], err)
		}
	}
	if err := e.applyAdmin(ctx, d); err != nil {
		return err
	}
	return e.applyAsked(whole, d)
}

// grants are what an administrator may do: everything but what is the platform's (SUPER and the like).
const grants = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, REFERENCES, INDEX, ALTER, SHOW DATABASES, CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, " +
	"REPLICATION SLAVE, REPLICATION CLIENT, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, CREATE USER, EVENT, TRIGGER"

// applyAdmin makes the administrator's account. The hash is hexadecimal digits behind a star, the name letters, digits and underscores.
func (e *engine) applyAdmin(ctx context.Context, d *desired) error {
	name := d.props.AdministratorLogin
	if now := name + " " + d.hash; e.admin != now {
		account := "'" + name + "'@'%'"
		for _, s := range []string{
			"CREATE USER IF NOT EXISTS " + account,
			"ALTER USER " + account + " IDENTIFIED BY PASSWORD '" + d.hash + "'",
			"GRANT " + grants + " ON *.* TO " + account + " WITH GRANT OPTION",
		} {
			if _, err := e.db.ExecContext(ctx, s); err != nil {
				return fmt.Errorf("administrator's account: %w", err)
			}
		}
		e.admin = now
	}
	return nil
}

func quoteName(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }

// databases lists what the server has, its own left out.
func (e *engine) databases(ctx context.Context) (map[string]databaseRecord, error) {
	if !e.status().Ready {
		return nil, errNotRunning()
	}
	ctx, cancel := context.WithTimeout(ctx, statementTime)
	defer cancel()
	rows, err := e.db.QueryContext(ctx, "SELECT SCHEMA_NAME, DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA")
	if err != nil {
		return nil, fmt.Errorf("list databases: %w", err)
	}
	defer rows.Close()
	out := map[string]databaseRecord{}
	for rows.Next() {
		var name string
		var d databaseRecord
		if err := rows.Scan(&name, &d.Charset, &d.Collation); err != nil {
			return nil, fmt.Errorf("list databases: %w", err)
		}
		out[strings.ToLower(name)] = d
	}
	for _, own := range []string{"mysql", "sys"} { // Azure lists the other two
		delete(out, own)
	}
	return out, rows.Err()
}
