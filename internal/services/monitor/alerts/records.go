package alerts

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/alerting"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Keys of a subscription's shard, beside those of the control plane:
//
//	s|monitor|rule|<guid>   the id of a rule of any kind, to find those of a subscription
//	s|monitor|version       the LSN of the last change of a rule
//	s|monitor|changed|<LSN>       the GUID of a rule that was changed then (8 bytes, big-endian); the older ones go
//	s|monitor|forgotten       the LSN up to which they went
//	s|monitor|processing|<guid>   the id of an alert processing rule
//	s|monitor|processingversion   the LSN of the last change of one
//
// Of the shard monitor/<subscription>, beside an outbox and deliveries (packages outbox and notify):
//
//	a|<guid>                an alert
//	t|<time><guid>          its id, by the time it was fired (8 bytes, big-endian nanoseconds)
//	h|<guid>|<number>       its history (4 bytes, big-endian)
//	s|<rule>|<instance>     the state of a fired instance
//	c|<slice>               the minute up to which the rules of a slice were judged
//	l|                      the time up to which the activity log was looked at
//	n|<guid>                a test notification
const (
	shardPrefix = "monitor/"

	keyRule    = "s|monitor|rule|"
	keyVersion = "s|monitor|version"
	keyChanged = "s|monitor|changed|"
	keyForgot  = "s|monitor|forgotten"

	keyProcessing        = "s|monitor|processing|"
	keyProcessingVersion = "s|monitor|processingversion"

	tagAlert   = "a|"
	tagTime    = "t|"
	tagHistory = "h|"
	tagState   = "s|"
	tagSlice   = "c|"
	keyLog     = "l|"
	tagTest    = "n|"
)

var (
	ruleCodec    = store.Codec[string]{Kind: 'r', Version: 1}
	alertCodec   = store.Codec[alert]{Kind: 'a', Version: 1}
	historyCodec = store.Codec[happening]{Kind: 'h', Version: 1}
	stateCodec   = store.Codec[instance]{Kind: 's', Version: 1}
	sliceCodec   = store.Codec[int64]{Kind: 'c', Version: 1}
	cursorCodec  = store.Codec[time.Time]{Kind: 'l', Version: 1}
	testCodec    = store.Codec[test]{Kind: 'n', Version: 1}
)

func subShard(subscription string) string { return "sub/" + fold(subscription) }
func shardOf(subscription string) string  { return shardPrefix + fold(subscription) }

// alert is a stored alert: everything that is told of it, here and to receivers.
type alert struct {
	ID           string          `json:"id"` // GUID
	Subscription string          `json:"subscription"`
	RuleID       string          `json:"ruleId"`
	RuleGUID     string          `json:"ruleGuid"`
	RuleName     string          `json:"ruleName"`
	Severity     int             `json:"severity"`
	Signal       string          `json:"signal"`  // Metric, Log
	Service      string          `json:"service"` // Platform, ActivityLog Administrative
	Condition    string          `json:"condition"`
	State        string          `json:"state"`
	Description  string          `json:"description,omitempty"`
	Advice       string          `json:"advice,omitempty"`
	Target       string          `json:"target"` // ARM id
	Origin       string          `json:"origin"` // id of the instance, the same for each time it fires
	Fired        time.Time       `json:"fired"`
	Resolved     time.Time       `json:"resolved,omitzero"`
	Modified     time.Time       `json:"modified"`
	By           string          `json:"by"`
	Context      json.RawMessage `json:"context"`              // alertContext of the common alert schema, as of the last transition
	History      uint32          `json:"history"`              // how many there are
	Suppressed   bool            `json:"suppressed,omitempty"` // of the last transition no action group was told
	Processed    string          `json:"processed,omitempty"`  // the condition up to which what processing rules said is in the history
}

// happening is one entry of an alert's history.
type happening struct {
	Event   string    `json:"event"`
	Old     string    `json:"old,omitempty"`
	New     string    `json:"new,omitempty"`
	At      time.Time `json:"at"`
	By      string    `json:"by"`
	Comment string    `json:"comment,omitempty"`
	Text    string    `json:"text,omitempty"`
}

// instance is what is kept of a rule's instance while it is fired.
type instance struct {
	RuleGUID   string         `json:"ruleGuid"`
	RuleID     string         `json:"ruleId"`
	Generation string         `json:"generation"` // of the rule
	Key        string         `json:"key"`
	State      alerting.State `json:"state"`
	Alert      string         `json:"alert"`
	Actions    actions        `json:"actions"` // who is told when it is resolved because the rule is gone
}

// actions is who is told.
type actions struct {
	Groups []groupRef   `json:"groups,omitempty"`
	Inline []inlineRef  `json:"inline,omitempty"` // of classic rules
	Shape  string       `json:"shape,omitempty"`  // of the older webhook schema: "" = AzureMonitorMetricAlert, "classic"
	Facts  webhookFacts `json:"facts,omitzero"`
}

// webhookFacts is what the older schemas tell of a rule beside what the alert does.
type webhookFacts struct {
	ResourceType string `json:"resourceType,omitempty"`
	Region       string `json:"region,omitempty"`
}

type groupRef struct {
	ID         string            `json:"id"`
	Properties map[string]string `json:"properties,omitempty"`
}

// inlineRef is a receiver of a classic rule; it is sealed with the rule's shard and its own name.
type inlineRef struct {
	Name   string `json:"name"`
	Sealed []byte `json:"sealed"`
}

func (a *actions) empty() bool { return len(a.Groups) == 0 && len(a.Inline) == 0 }

func alertKey(id string) []byte { return []byte(tagAlert + id) }

func timeKey(t time.Time, id string) []byte {
	key := binary.BigEndian.AppendUint64([]byte(tagTime), uint64(max(t.UnixNano(), 0)))
	return append(key, id...)
}

func historyKey(id string, n uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte(tagHistory+id+"|"), n)
}

func stateKey(rule, instance string) []byte {
	sum := sha256.Sum256([]byte(instance))
	return []byte(tagState + rule + "|" + hex.EncodeToString(sum[:16]))
}

func sliceKey(slice int) []byte { return []byte(tagSlice + strconv.Itoa(slice)) }

// derivedID is a GUID made of what it stands for: the same whoever works it out.
func derivedID(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		_, _ = h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(p)))) //nolint:gosec // never that long
		_, _ = h.Write([]byte(p))
	}
	var b [16]byte
	copy(b[:], h.Sum(nil))
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80 // version 8: of own making
	return ids.Format(b)
}

// write is rows that are to be put, or (nil) deleted.
type write struct{ key, value []byte }

func commit(tx store.Tx, rows []write) error {
	for _, w := range rows {
		err := error(nil)
		if w.value == nil {
			err = tx.Delete(w.key)
		} else {
			err = tx.Put(w.key, w.value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// record encodes an alert with new entries of its history. created: its place in time is written, too.
func record(a *alert, created bool, entries ...happening) ([]write, error) {
	var rows []write
	for _, e := range entries {
		value, err := historyCodec.Encode(e)
		if err != nil {
			return nil, err
		}
		rows = append(rows, write{historyKey(a.ID, a.History), value})
		a.History++
	}
	value, err := alertCodec.Encode(*a)
	if err != nil {
		return nil, err
	}
	rows = append(rows, write{alertKey(a.ID), value})
	if created {
		rows = append(rows, write{timeKey(a.Fired, a.ID), []byte(a.ID)})
	}
	return rows, nil
}

// get reads one record of a shard; nil if there is none.
func get[T any](ctx context.Context, st store.Store, shard string, key []byte, codec store.Codec[T]) (*T, error) {
	var b []byte
	err := st.View(ctx, shard, func(s store.Snapshot) (err error) {
		b, err = s.Get(key)
		return err
	})
	if err != nil || b == nil {
		return nil, err
	}
	v, err := codec.Decode(b)
	return &v, err
}

// all reads the records of a prefix, by what follows it.
func all[T any](ctx context.Context, st store.Store, shard, prefix string, codec store.Codec[T]) (keys []string, out []T, err error) {
	var rows [][2][]byte
	err = st.View(ctx, shard, func(s store.Snapshot) error {
		rows = nil
		return s.Scan(store.Prefix([]byte(prefix)), func(k, v []byte) bool {
			rows = append(rows, [2][]byte{bytes.Clone(k), bytes.Clone(v)})
			return true
		})
	})
	if err != nil {
		return nil, nil, err
	}
	for _, r := range rows {
		v, err := codec.Decode(r[1])
		if err != nil {
			return nil, nil, err
		}
		keys, out = append(keys, string(r[0][len(prefix):])), append(out, v)
	}
	return keys, out, nil
}
