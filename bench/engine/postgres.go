package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// postgres is a private cluster in a temporary folder, reached by a socket in it. It does not run as root: then it belongs to the user postgres.
type postgres struct {
	bin, data string
	as        []string    // what comes before a command so that it runs as that user
	conns     []*pgx.Conn // a worker each; the last is the group's
}

// Debian keeps the programs out of the path.
const postgresBin = "/usr/lib/postgresql/15/bin"

// openPostgres answers nil when PostgreSQL is not there.
func openPostgres(ctx context.Context, dir string) (*postgres, error) {
	p := &postgres{bin: postgresBin, data: filepath.Join(dir, "pg")}
	if _, err := os.Stat(filepath.Join(p.bin, "initdb")); err != nil {
		return nil, nil
	}
	if err := os.Mkdir(p.data, 0o700); err != nil {
		return nil, err
	}
	if os.Geteuid() == 0 {
		if err := p.yield(dir); err != nil {
			return nil, err
		}
	}
	if err := p.command("initdb", "-D", p.data, "-U", "bench", "--auth=trust", "--encoding=UTF8", "--locale=C"); err != nil {
		return nil, err
	}
	opts := fmt.Sprintf("-c listen_addresses='' -c unix_socket_directories=%s -c synchronous_commit=on -c fsync=on -c shared_buffers=256MB", p.data)
	if err := p.command("pg_ctl", "start", "-w", "-D", p.data, "-l", filepath.Join(p.data, "log"), "-o", opts); err != nil {
		return nil, err
	}
	if err := p.connect(ctx); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// yield gives the cluster's folder to the user postgres.
func (p *postgres) yield(dir string) error {
	u, err := user.Lookup("postgres")
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	if err := cmp.Or(err, err2, os.Chmod(dir, 0o711), os.Chown(p.data, uid, gid)); err != nil {
		return err
	}
	p.as = []string{"runuser", "-u", "postgres", "--"}
	return nil
}

func (p *postgres) command(name string, args ...string) error {
	argv := append(append(append([]string{}, p.as...), filepath.Join(p.bin, name)), args...)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = p.data
	log, err := os.Create(filepath.Join(filepath.Dir(p.data), name+".log")) // a file: the server inherits it, and a pipe would never end
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		b, _ := os.ReadFile(log.Name())
		return fmt.Errorf("%s: %w: %s", name, err, b)
	}
	return nil
}

func (p *postgres) connect(ctx context.Context) error {
	for range writersMost + 1 {
		c, err := pgx.Connect(ctx, "host="+p.data+" user=bench dbname=postgres")
		if err != nil {
			return err
		}
		p.conns = append(p.conns, c)
	}
	for _, t := range []string{"inserts", "asks"} {
		if _, err := p.conns[0].Exec(ctx, fmt.Sprintf(`CREATE TABLE %[1]s (pk text NOT NULL, id text NOT NULL, doc jsonb NOT NULL, PRIMARY KEY (pk, id));
			CREATE INDEX ON %[1]s USING gin (doc jsonb_path_ops) WITH (fastupdate = off)`, t)); err != nil {
			return err
		}
	}
	// GIN has no order: what is asked for in order gets an index of its own, which inserts don't pay for.
	_, err := p.conns[0].Exec(ctx, `CREATE INDEX ON asks (pk, (doc->'n'))`)
	return err
}

func (p *postgres) name() string { return "PostgreSQL" }

func (p *postgres) close() {
	for _, c := range p.conns {
		_ = c.Close(context.Background())
	}
	if err := p.command("pg_ctl", "stop", "-w", "-m", "fast", "-D", p.data); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

func (p *postgres) load(ctx context.Context, ds []document) error {
	for len(ds) > 0 {
		n := min(1000, len(ds))
		if err := p.write(ctx, "asks", ds[:n]); err != nil {
			return err
		}
		ds = ds[n:]
	}
	if _, err := p.conns[0].Exec(ctx, "VACUUM ANALYZE asks"); err != nil {
		return err
	}
	return p.checkOrder(ctx)
}

// checkOrder fails if pages are sorted instead of read from the index made for them: that would be no comparison.
func (p *postgres) checkOrder(ctx context.Context) error {
	rows, err := p.conns[0].Query(ctx, "EXPLAIN "+pageText, pgx.QueryExecModeSimpleProtocol, "a", "100")
	if err != nil {
		return err
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if plan := strings.Join(lines, "\n"); err == nil && strings.Contains(plan, "Sort") {
		err = fmt.Errorf("a page in order is sorted:\n%s", plan)
	}
	return err
}

const pageText = "SELECT doc FROM asks WHERE pk = $1 AND doc->'n' > $2::jsonb ORDER BY doc->'n' LIMIT 100"

// write sends the documents as one pipeline, which is one transaction.
func (p *postgres) write(ctx context.Context, table string, ds []document) error {
	var b pgx.Batch
	for _, d := range ds {
		b.Queue("INSERT INTO "+table+" VALUES ($1, $2, $3)", d.pk, d.id, d.text)
	}
	return p.conns[writersMost].SendBatch(ctx, &b).Close()
}

func (p *postgres) insertGroup(ctx context.Context, ds []document) error {
	return p.write(ctx, "inserts", ds)
}

func (p *postgres) insert(ctx context.Context, w int, d document) error {
	_, err := p.conns[w].Exec(ctx, "INSERT INTO inserts VALUES ($1, $2, $3)", d.pk, d.id, d.text)
	return err
}

func (p *postgres) docs(ctx context.Context, w, want int, text string, args ...any) error {
	rows, err := p.conns[w].Query(ctx, text, args...)
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

func (p *postgres) read(ctx context.Context, w int, d document) error {
	return p.docs(ctx, w, 1, "SELECT doc FROM asks WHERE pk = $1 AND id = $2", d.pk, d.id)
}

func (p *postgres) byField(ctx context.Context, w int, d document) error {
	return p.docs(ctx, w, 1, "SELECT doc FROM asks WHERE pk = $1 AND doc @> $2::jsonb", d.pk, fmt.Sprintf(`{"name":%q}`, d.name))
}

func (p *postgres) page(ctx context.Context, w int, above int) error {
	return p.docs(ctx, w, pageRows, pageText, "a", fmt.Sprint(above))
}

func (p *postgres) count(ctx context.Context, w int, mod, want int) error {
	var n int
	err := p.conns[w].QueryRow(ctx, "SELECT count(*) FROM asks WHERE pk = $1 AND doc @> $2::jsonb", "a", fmt.Sprintf(`{"mod":%d}`, mod)).Scan(&n)
	return same(fmt.Sprint(n), fmt.Sprint(want), err)
}

const groupName = "pipelined groups"

// grouped is PostgreSQL with the writers' inserts gathered and sent through one connection as a pipeline, a transaction a group.
type grouped struct {
	*postgres
	group *group
}

func (g *grouped) name() string                                        { return "PostgreSQL, " + groupName }
func (g *grouped) load(context.Context, []document) error              { return nil }
func (g *grouped) close()                                              { g.group.close() }
func (g *grouped) insert(ctx context.Context, _ int, d document) error { return g.group.do(ctx, d) }
