package directory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// SignIn is one record of the sign-in log: one attempt to get tokens, or to sign in at a page. Beside the audit log, which tells one request's story, it
// tells who tried to get in and why they could not.
type SignIn struct {
	Time          time.Time `json:"createdDateTime"`
	TenantID      string    `json:"tenantId"`
	Grant         string    `json:"grant"` // grant_type in short, or "page"
	UserID        string    `json:"userId,omitempty"`
	UserName      string    `json:"userPrincipalName,omitempty"` // as it was given
	AppID         string    `json:"appId,omitempty"`
	AppName       string    `json:"appDisplayName,omitempty"`
	Resource      string    `json:"resource,omitempty"`
	Client        string    `json:"ipAddress,omitempty"`
	Code          int       `json:"errorCode"` // AADSTS number; 0 = success
	Reason        string    `json:"failureReason,omitempty"`
	CorrelationID string    `json:"correlationId,omitempty"`
	RequestID     string    `json:"requestId,omitempty"`
}

// Keys: "L|" + time in nanoseconds and a number, both in hexadecimal, in the tenant's sign-in shard.
const (
	keySignin     = "L|"
	signinKeep    = 30 * 24 * time.Hour
	signinMax     = 20_000 // a tenant
	signinPending = 8192   // not yet stored; beyond it records are lost, and counted
	signinFlush   = 250 * time.Millisecond
	signinTrim    = 512 // records between two looks at the bounds
)

// signinLog stores records in the background, some at a time: a token request shall not wait for a disk because of it. The audit record of a refusal is
// waited for.
type signinLog struct {
	store store.Store
	log   *slog.Logger

	mu      sync.Mutex
	pending []SignIn
	lost    int
	flushMu sync.Mutex // one flush at a time keeps records in order
	seq     uint64
	since   map[string]int // records since the shard was last trimmed; one entry a tenant
}

func newSigninLog(st store.Store, log *slog.Logger) *signinLog {
	return &signinLog{store: st, log: log, since: map[string]int{}}
}

func (l *signinLog) add(rec SignIn) {
	if rec.TenantID == "" {
		return // of no tenant here: the request log has it
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pending) >= signinPending {
		l.lost++
		return
	}
	l.pending = append(l.pending, rec)
}

// run stores what is added until ctx ends, and then the rest.
func (l *signinLog) run(ctx context.Context) {
	tick := time.NewTicker(signinFlush)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			l.tryFlush(ctx)
		case <-ctx.Done():
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			l.tryFlush(end)
			return
		}
	}
}

func (l *signinLog) tryFlush(ctx context.Context) {
	if err := l.flush(ctx); err != nil && ctx.Err() == nil {
		l.log.Error("sign-in records lost", "error", err)
	}
}

// flush stores all that was added so far.
func (l *signinLog) flush(ctx context.Context) error {
	l.flushMu.Lock()
	defer l.flushMu.Unlock()
	l.mu.Lock()
	pending, lost := l.pending, l.lost
	l.pending, l.lost = nil, 0
	l.mu.Unlock()
	if lost > 0 {
		l.log.Warn("sign-in records lost", "count", lost)
	}
	rows := map[string][][2][]byte{}
	for _, rec := range pending {
		value, err := signinCodec.Encode(rec)
		if err != nil {
			return fmt.Errorf("encode sign-in record: %w", err)
		}
		l.seq++
		key := fmt.Appendf(nil, "%s%016x%08x", keySignin, rec.Time.UnixNano(), uint32(l.seq)) //nolint:gosec // only tells records of one instant apart
		rows[rec.TenantID] = append(rows[rec.TenantID], [2][]byte{key, value})
	}
	var failed error
	for tenantID, kv := range rows {
		last := pending[len(pending)-1].Time
		failed = errors.Join(failed, l.put(ctx, tenantID, kv, last))
	}
	return failed
}

func (l *signinLog) put(ctx context.Context, tenantID string, rows [][2][]byte, now time.Time) error {
	l.since[tenantID] += len(rows)
	trim := l.since[tenantID] >= signinTrim || l.since[tenantID] == len(rows) // and once after each start
	var drop []byte
	if trim {
		var err error
		if drop, err = l.firstKept(ctx, tenantID, now); err != nil {
			return err
		}
		l.since[tenantID] = 1
	}
	_, err := l.store.Update(ctx, signinShard(tenantID), func(tx store.Tx) error {
		if drop != nil {
			if err := tx.DeleteRange([]byte(keySignin), drop); err != nil {
				return err
			}
		}
		for _, kv := range rows {
			if err := tx.Put(kv[0], kv[1]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store sign-in records of tenant %s: %w", tenantID, err)
	}
	return nil
}

// firstKept is the key before which all records are too old or too many; nil if none is.
func (l *signinLog) firstKept(ctx context.Context, tenantID string, now time.Time) ([]byte, error) {
	oldest := fmt.Appendf(nil, "%s%016x", keySignin, max(now.Add(-signinKeep).UnixNano(), 0))
	var drop []byte
	err := l.store.View(ctx, signinShard(tenantID), func(snap store.Snapshot) error {
		drop = nil
		n := 0
		r := store.Prefix([]byte(keySignin))
		r.Reverse = true
		return snap.Scan(r, func(key, _ []byte) bool {
			if n++; n > signinMax || string(key) < string(oldest) {
				drop = append([]byte(string(key)), 0)
				return false
			}
			return true
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read sign-in records of tenant %s: %w", tenantID, err)
	}
	return drop, nil
}

// SignIns lists a tenant's latest sign-ins, newest first, at most limit of them.
func (s *Service) SignIns(ctx context.Context, tenantID string, limit int) ([]SignIn, error) {
	if err := s.signins.flush(ctx); err != nil {
		return nil, err
	}
	var out []SignIn
	var bad error
	err := s.Store.View(ctx, signinShard(tenantID), func(snap store.Snapshot) error {
		out, bad = []SignIn{}, nil
		r := store.Prefix([]byte(keySignin))
		r.Reverse = true
		return snap.Scan(r, func(_, value []byte) bool {
			var rec SignIn
			if rec, bad = signinCodec.Decode(value); bad != nil {
				return false
			}
			out = append(out, rec)
			return len(out) < limit
		})
	})
	if err == nil {
		err = bad
	}
	if err != nil {
		return nil, fmt.Errorf("read sign-in records of tenant %s: %w", tenantID, err)
	}
	return out, nil
}

// attempt is a sign-in under way; what becomes known of it is filled in as it goes.
type attempt struct{ SignIn }

func (s *Service) attempt(r *wire.Request, grant string) *attempt {
	a := &attempt{SignIn{Time: r.Time, Grant: grant, CorrelationID: r.CorrelationID, RequestID: r.RequestID}}
	if r.Client.IsValid() {
		a.Client = r.Client.String()
	}
	return a
}

func (a *attempt) in(t *Tenant) { a.TenantID = t.ID }

func (a *attempt) by(app *Application) { a.AppID, a.AppName = app.AppID, clip(app.DisplayName) }

func (a *attempt) user(u *User) { a.UserID, a.UserName = u.ObjectID, u.UPN }

// ended records how an attempt ended. What only says "ask again" (a pending device code) is no attempt.
func (s *Service) ended(a *attempt, err error) {
	if err != nil {
		f := fault.As(err)
		a.Code, _ = strconv.Atoi(strings.TrimPrefix(f.Code, "AADSTS"))
		if a.Code == 0 {
			a.Code = 90033 // a failure of the platform's own
		}
		a.Reason, _, _ = strings.Cut(f.Message, "\r\n")
		a.Reason = clip(a.Reason)
		if a.Code == 70016 {
			return
		}
	}
	if !ids.IsGUID(a.TenantID) {
		return
	}
	a.UserName = clip(a.UserName)
	s.signins.add(a.SignIn)
}
