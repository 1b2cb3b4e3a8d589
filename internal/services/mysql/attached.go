package mysql

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	sqldriver "database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// attached is a server that runs elsewhere and is only watched.
type attached struct {
	host  *host
	poked chan struct{}

	mu      sync.Mutex
	desired *desired
	st      status

	// Of the loop's goroutine alone.
	db       *sql.DB
	measured *collector
}

func newAttached(h *host, d *desired) *attached {
	return &attached{host: h, poked: make(chan struct{}, 1), desired: d, st: status{Wanted: d.lsn}, measured: newCollector(h.service)}
}

func (a *attached) want(d *desired) {
	a.mu.Lock()
	if d.lsn >= a.desired.lsn {
		a.desired, a.st.Wanted = d, d.lsn
	}
	a.mu.Unlock()
	select {
	case a.poked <- struct{}{}:
	default:
	}
}

func (a *attached) status() status {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.st
}

func (a *attached) restart(context.Context) error {
	return fault.New(fault.NotImplemented, "NotImplemented", "An attached server is not restarted from here.")
}

func (a *attached) databases(context.Context) (map[string]databaseRecord, error) {
	return map[string]databaseRecord{}, nil
}

func errAttached() error {
	return fault.New(fault.NotImplemented, "NotImplemented", "An attached server's databases are not changed from here.")
}

// loop measures the server until ctx ends.
func (a *attached) loop(ctx context.Context) {
	defer a.close()
	for ctx.Err() == nil {
		err := a.look(ctx)
		if err != nil && ctx.Err() == nil {
			a.silent(ctx, err)
		}
		a.mu.Lock()
		a.st.Ready, a.st.Problem = err == nil, ""
		if err != nil {
			a.close()
			a.st.Problem = "The server can't be watched: " + problemOf(err)
		}
		d := a.desired
		a.mu.Unlock()
		if err != nil && ctx.Err() == nil {
			a.host.service.deps.Log.Warn("attached database server not measured", "server", d.server.ID, "error", err)
		}
		t := time.NewTimer(a.host.every)
		select {
		case <-ctx.Done():
		case <-t.C:
		case <-a.poked:
			a.close() // it may be at another place now
		}
		t.Stop()
	}
}

// silent stores that the server did not answer, unless it could not even be asked.
func (a *attached) silent(ctx context.Context, err error) {
	var f *fault.Error
	if errors.As(err, &f) {
		return
	}
	a.mu.Lock()
	d := a.desired
	a.mu.Unlock()
	now := &reading{at: a.host.service.deps.Clock.Now(), limits: d.limits, storage: -1, logs: -1, disk: -1}
	if err := a.measured.take(ctx, d.server.ID, now); err != nil && ctx.Err() == nil {
		a.host.service.deps.Log.Error("measurements not stored", "server", d.server.ID, "error", err)
	}
}

// problemOf words an error for the resource's reader without what drivers put into theirs.
func problemOf(err error) string {
	var f *fault.Error
	var m *driver.MySQLError
	switch {
	case errors.As(err, &f):
		return f.Message
	case errors.As(err, &m):
		return fmt.Sprintf("it answered error %d.", m.Number)
	}
	return "it does not answer."
}

func (a *attached) close() {
	if a.db != nil {
		a.db.Close()
		a.db = nil
	}
}

// look connects if need be and measures once.
func (a *attached) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, a.host.patience+statementTime)
	defer cancel()
	a.mu.Lock()
	d := a.desired
	a.mu.Unlock()
	if a.db == nil {
		if err := a.connect(ctx, d); err != nil {
			return err
		}
	}
	now := &reading{at: a.host.service.deps.Clock.Now(), limits: d.limits, storage: -1, logs: -1, disk: -1, processors: processors()}
	var err error
	if now.counters, err = readCounters(ctx, a.db, a.host.patience); err != nil {
		return err
	}
	var version string
	if err := a.db.QueryRowContext(ctx, "SELECT VERSION(), @@max_connections").Scan(&version, &now.connections); err != nil {
		return err
	}
	var used sql.NullInt64
	if err := a.db.QueryRowContext(ctx, "SELECT CAST(SUM(DATA_LENGTH + INDEX_LENGTH) AS SIGNED) FROM information_schema.TABLES").Scan(&used); err == nil && used.Valid {
		now.storage = used.Int64
	}
	now.behind = lag(ctx, a.db)
	a.mu.Lock()
	a.st.Applied = d.lsn
	a.st.Engine, a.st.Endpoint = version, net.JoinHostPort(d.props.Attach.Host, strconv.Itoa(d.props.Attach.Port))
	a.mu.Unlock()
	return a.measured.take(ctx, d.server.ID, now)
}

// lag is how far a replica is behind; nil on a primary, for who may not ask, and while replication is broken.
func lag(ctx context.Context, db *sql.DB) *float64 {
	rows, err := db.QueryContext(ctx, "SHOW SLAVE STATUS")
	if err != nil {
		return nil
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil || !rows.Next() {
		return nil
	}
	cells := make([]sql.RawBytes, len(names))
	into := make([]any, len(names))
	for i := range cells {
		into[i] = &cells[i]
	}
	if rows.Scan(into...) != nil {
		return nil
	}
	for i, n := range names {
		if n == "Seconds_Behind_Master" && cells[i] != nil {
			if v, err := strconv.ParseFloat(string(cells[i]), 64); err == nil {
				return &v
			}
		}
	}
	return nil
}

func (a *attached) connect(ctx context.Context, d *desired) error {
	at := d.props.Attach
	password, err := a.host.service.secret(ctx, d)
	if err != nil {
		return err
	}
	cfg := driver.NewConfig()
	cfg.User, cfg.Passwd, cfg.Net, cfg.Addr = at.Login, password, "tcp", net.JoinHostPort(at.Host, strconv.Itoa(at.Port))
	cfg.Logger = &driver.NopLogger{} // it would write to the standard error
	cfg.Timeout, cfg.ReadTimeout, cfg.WriteTimeout = 5*time.Second, statementTime, statementTime
	if cfg.TLS, err = certificatesOf(at); err != nil {
		return err
	}
	connector, err := driver.NewConnector(cfg)
	if err != nil {
		return err
	}
	a.db = openOne(connector)
	return nil
}

// openOne is a database with a single connection.
func openOne(c sqldriver.Connector) *sql.DB {
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(1)
	return db
}

// certificatesOf is the TLS of connections to an attached server; nil for none.
func certificatesOf(a *attachment) (*tls.Config, error) {
	if a.TLS == disabled {
		return nil, nil
	}
	c := &tls.Config{ServerName: a.Host, MinVersion: tls.VersionTLS12}
	if a.CA != "" {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM([]byte(a.CA)) {
			return nil, invalid("attach.ca holds no certificate.")
		}
	}
	return c, nil
}

const vaultResource = "https://vault.azure.net"

// secret reads an attached server's password out of its vault, as the server's own identity.
func (s *Service) secret(ctx context.Context, d *desired) (string, error) {
	u, err := url.Parse(d.props.Attach.PasswordSecret)
	if err != nil || u.Scheme != "https" || !strings.HasPrefix(u.Path, "/secrets/") || u.RawQuery != "" {
		return "", invalid("attach.passwordSecretId is not the id of a vault's secret.")
	}
	if h, ok := s.deps.Hosts.Resolve(u.Host); !ok || h.Kind != wire.HostVault {
		return "", invalid("attach.passwordSecretId is not in a vault of this platform.")
	}
	id := d.server.Identity
	if id == nil || id.PrincipalID == "" {
		return "", fault.New(fault.Invalid, "IdentityRequired", "An attached server needs a system-assigned identity, which reads the password's secret.")
	}
	token, err := s.deps.Tokens.IssueManagedIdentity(ctx, d.tenant, id.PrincipalID, vaultResource)
	if err != nil {
		return "", fmt.Errorf("token for the vault: %w", err)
	}
	u.RawQuery = "api-version=7.4"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", fmt.Errorf("ask the vault: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+token.Raw)
	resp, err := s.deps.FrontDoor.Do(req)
	if err != nil {
		return "", fmt.Errorf("ask the vault: %w", err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 256<<10))
	if err != nil {
		return "", fmt.Errorf("ask the vault: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return "", fault.New(fault.Forbidden, "SecretNotRead", "The vault answered %d to the server's identity: it needs the permission to get secrets.", resp.StatusCode)
	}
	var v struct{ Value string }
	if err := json.Unmarshal(b, &v); err != nil {
		return "", errors.New("the vault's answer can't be read")
	}
	return v.Value, nil
}
