package posture

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/security/posture/assess"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Keys of a subscription's shard, beside those of the control plane; names and ids are folded.
//
//	s|security|pricing|<name>               a plan that was changed; likewise setting, provisioning
//	s|security|metadata|<name>              metadata of a custom assessment
//	s|security|assessment|<resource>|<name> a custom assessment
//	s|security|task|<name>                  what a user made of a task
//	s|security|automation|<guid>            the id of an automation, to find those of a subscription
//
// Of the shard posture/<subscription>:
//
//	a|<resource>|<check>                    since when a verdict stands
//
// Of the shard posture-usage:
//
//	u|<principal>                           when a managed identity last got a token, to the day
//	s|                                      since when that is recorded
//
// The shards automation/<guid> hold deliveries: outbox rows alone.
const (
	keyPrefix   = "s|security|"
	tagPricing  = "pricing"
	tagSetting  = "setting"
	tagProvide  = "provisioning"
	tagMetadata = "metadata"
	tagCustom   = "assessment"
	tagTask     = "task"
	tagAutomate = "automation"
	tagVerdict  = "a|"
	usageShard  = "posture-usage"
)

var (
	settingCodec  = store.Codec[setting]{Kind: 's', Version: 1}
	customCodec   = store.Codec[custom]{Kind: 'c', Version: 1}
	metadataCodec = store.Codec[metadata]{Kind: 'm', Version: 1}
	taskCodec     = store.Codec[taskState]{Kind: 't', Version: 1}
	verdictCodec  = store.Codec[standing]{Kind: 'v', Version: 1}
	automateCodec = store.Codec[string]{Kind: 'n', Version: 1}
	usageCodec    = store.Codec[time.Time]{Kind: 'u', Version: 1}
)

// setting is one thing of a fixed set that was changed.
type setting struct {
	Properties json.RawMessage `json:"properties"`
	Changed    time.Time       `json:"changed"`
	By         string          `json:"by"`
}

// custom is an assessment that another tool made.
type custom struct {
	Resource   string            `json:"resource"` // as written
	Name       string            `json:"name"`
	Code       assess.Code       `json:"code"`
	Cause      string            `json:"cause,omitempty"`
	Text       string            `json:"text,omitempty"`
	Additional map[string]string `json:"additional,omitempty"`
	First      time.Time         `json:"first"`
	Changed    time.Time         `json:"changed"`
}

// metadata describes a custom assessment.
type metadata struct {
	Name        string   `json:"name"`
	DisplayName string   `json:"displayName"`
	Description string   `json:"description,omitempty"`
	Remedy      string   `json:"remedy,omitempty"`
	Severity    string   `json:"severity"`
	Impact      string   `json:"impact,omitempty"`
	Effort      string   `json:"effort,omitempty"`
	Categories  []string `json:"categories,omitempty"`
	Threats     []string `json:"threats,omitempty"`
	Preview     bool     `json:"preview,omitempty"`
}

// taskState is what a user made of a task.
type taskState struct {
	State   string    `json:"state"`
	Changed time.Time `json:"changed"`
}

// standing is since when a verdict stands.
type standing struct {
	Code    assess.Code `json:"code"`
	First   time.Time   `json:"first"`   // first judged
	Changed time.Time   `json:"changed"` // of the code
	Fault   time.Time   `json:"fault"`   // last time it became unhealthy; zero: never
}

// ownKey is the key of a row of the subscription's shard.
func ownKey(tag string, names ...string) []byte {
	return []byte(keyPrefix + tag + "|" + strings.ToLower(strings.Join(names, "|")))
}

func verdictKey(resource, check string) []byte {
	return []byte(tagVerdict + strings.ToLower(resource+"|"+check))
}

// load reads one row; nil if there is none.
func load[T any](ctx context.Context, st store.Store, shard string, key []byte, codec store.Codec[T]) (*T, error) {
	var row []byte
	err := st.View(ctx, shard, func(s store.Snapshot) error {
		b, err := s.Get(key)
		row = bytes.Clone(b)
		return err
	})
	if err != nil || row == nil {
		return nil, err
	}
	v, err := codec.Decode(row)
	return &v, err
}

// loadAll reads every row below a prefix, by what follows it.
func loadAll[T any](ctx context.Context, st store.Store, shard string, prefix []byte, codec store.Codec[T]) (map[string]T, error) {
	rows := map[string][]byte{}
	err := st.View(ctx, shard, func(s store.Snapshot) error {
		clear(rows)
		return s.Scan(store.Prefix(prefix), func(k, v []byte) bool {
			rows[string(k[len(prefix):])] = bytes.Clone(v)
			return true
		})
	})
	if err != nil {
		return nil, err
	}
	out := make(map[string]T, len(rows))
	for k, row := range rows {
		if out[k], err = codec.Decode(row); err != nil {
			return nil, err
		}
	}
	return out, nil
}
