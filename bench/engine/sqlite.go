package main

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	_ "modernc.org/sqlite" // the driver
)

// sqlite keeps documents as text and one row for each indexed value, made by the caller. Writers are grouped: one transaction for all that wait.
type sqlite struct {
	db                             *sql.DB
	get, field, ordered, countStmt *sql.Stmt
	group                          *group
}

func openSQLite(ctx context.Context, file string) (*sqlite, error) {
	db, err := sql.Open("sqlite", "file:"+file+"?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(10000)&_pragma=cache_size(-32768)")
	if err != nil {
		return nil, err
	}
	for _, t := range []string{"inserts", "asks"} {
		for _, text := range []string{
			"CREATE TABLE %[1]s (num INTEGER PRIMARY KEY, pk TEXT NOT NULL, id TEXT NOT NULL, doc TEXT NOT NULL)",
			"CREATE UNIQUE INDEX %[1]s_id ON %[1]s (pk, id)",
			"CREATE TABLE %[1]s_terms (pk TEXT NOT NULL, path INTEGER NOT NULL, value NOT NULL, num INTEGER NOT NULL, PRIMARY KEY (pk, path, value, num)) WITHOUT ROWID",
		} {
			if _, err := db.ExecContext(ctx, fmt.Sprintf(text, t)); err != nil {
				return nil, err
			}
		}
	}
	s := &sqlite{db: db}
	for _, p := range []struct {
		to   **sql.Stmt
		text string
	}{
		{&s.get, "SELECT doc FROM asks WHERE pk = ? AND id = ?"},
		{&s.field, "SELECT doc FROM asks_terms JOIN asks USING (num) WHERE asks_terms.pk = ? AND path = ? AND value = ?"},
		{&s.ordered, "SELECT doc FROM asks_terms JOIN asks USING (num) WHERE asks_terms.pk = ? AND path = ? AND value > ? ORDER BY value LIMIT ?"},
		{&s.countStmt, "SELECT count(*) FROM asks_terms WHERE pk = ? AND path = ? AND value = ?"},
	} {
		if *p.to, err = db.PrepareContext(ctx, p.text); err != nil {
			return nil, err
		}
	}
	s.group = startGroup(func(ctx context.Context, ds []document) error { return s.write(ctx, "inserts", ds) })
	return s, nil
}

func (s *sqlite) name() string { return "SQLite" }

func (s *sqlite) close() {
	s.group.close()
	s.db.Close()
}

func (s *sqlite) write(ctx context.Context, table string, ds []document) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	doc, err := tx.PrepareContext(ctx, "INSERT INTO "+table+" (pk, id, doc) VALUES (?, ?, ?)")
	if err != nil {
		return err
	}
	defer doc.Close()
	n := len(ds[0].terms)
	terms, err := tx.PrepareContext(ctx, "INSERT INTO "+table+"_terms VALUES (?, ?, ?, ?)"+strings.Repeat(", (?, ?, ?, ?)", n-1))
	if err != nil {
		return err
	}
	defer terms.Close()
	for _, d := range ds {
		r, err := doc.ExecContext(ctx, d.pk, d.id, d.text)
		if err != nil {
			return err
		}
		num, err := r.LastInsertId()
		if err != nil {
			return err
		}
		args := make([]any, 0, 4*n)
		for _, t := range d.terms {
			args = append(args, d.pk, t.path, t.value, num)
		}
		if _, err := terms.ExecContext(ctx, args...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func (s *sqlite) load(ctx context.Context, ds []document) error {
	for len(ds) > 0 {
		n := min(1000, len(ds))
		if err := s.write(ctx, "asks", ds[:n]); err != nil {
			return err
		}
		ds = ds[n:]
	}
	return nil
}

func (s *sqlite) insert(ctx context.Context, _ int, d document) error { return s.group.do(ctx, d) }

func (s *sqlite) read(ctx context.Context, _ int, d document) error {
	return rowsOf(s.get.QueryContext(ctx, d.pk, d.id))(1)
}

func (s *sqlite) byField(ctx context.Context, _ int, d document) error {
	return rowsOf(s.field.QueryContext(ctx, d.pk, pathName, d.name))(1)
}

func (s *sqlite) page(ctx context.Context, _ int, above int) error {
	return rowsOf(s.ordered.QueryContext(ctx, "a", pathN, above, pageRows))(pageRows)
}

func (s *sqlite) count(ctx context.Context, _ int, mod, want int) error {
	var n int
	err := s.countStmt.QueryRowContext(ctx, "a", pathMod, mod).Scan(&n)
	return same(fmt.Sprint(n), fmt.Sprint(want), err)
}

// rowsOf reads a result of documents and checks how many there are.
func rowsOf(rows *sql.Rows, err error) func(want int) error {
	return func(want int) error {
		if err != nil {
			return err
		}
		defer rows.Close()
		n := 0
		for ; rows.Next(); n++ {
			var doc []byte
			if err := rows.Scan(&doc); err != nil {
				return err
			}
		}
		return same(fmt.Sprint(n), fmt.Sprint(want), rows.Err())
	}
}
