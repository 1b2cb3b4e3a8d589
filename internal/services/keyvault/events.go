package keyvault

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// What can happen to an object. Event Grid's type is "Microsoft.KeyVault." + the kind + this.
const (
	eventNewVersion = "NewVersionCreated"
	eventNearExpiry = "NearExpiry"
	eventExpired    = "Expired"
	eventContacts   = "ContactsNotified" // Bulkhead's own: EmailContacts was due; no mail is sent
	eventNotRenewed = "RenewalFailed"    // Bulkhead's own
)

// event is something that happened, as stored.
type event struct {
	ID        string   `json:"id"`
	What      string   `json:"w"`
	Kind      string   `json:"k"` // title of the kind
	Plural    string   `json:"p"`
	Vault     string   `json:"va"`
	Name      string   `json:"n"`
	Version   string   `json:"v"`
	NotBefore *int64   `json:"nb,omitempty"`
	Expires   *int64   `json:"ex,omitempty"`
	Contacts  []string `json:"co,omitempty"`
	Reason    string   `json:"re,omitempty"`
	Nanos     int64    `json:"at"`
}

var eventCodec = store.Codec[event]{Kind: 'E', Version: 1}

// Event is an event as subscribers see it: Event Grid's schema.
type Event struct {
	ID       string    `json:"id"`
	Topic    string    `json:"topic"`
	Subject  string    `json:"subject"` // the object's name
	Type     string    `json:"eventType"`
	Time     time.Time `json:"eventTime"`
	Data     EventData `json:"data"`
	Version  string    `json:"dataVersion"`
	Metadata string    `json:"metadataVersion"`
}

// EventData is what happened to which version. Times are unix seconds.
type EventData struct {
	ID         string   `json:"Id"`
	VaultName  string   `json:"VaultName"`
	ObjectType string   `json:"ObjectType"`
	ObjectName string   `json:"ObjectName"`
	Version    string   `json:"Version"`
	NotBefore  *int64   `json:"NBF"`
	Expires    *int64   `json:"EXP"`
	Contacts   []string `json:"Contacts,omitempty"`
	Reason     string   `json:"Reason,omitempty"`
}

const (
	eventRetention = 90 * 24 * time.Hour
	maxEvents      = 1000 // in one answer
	eventID        = 16
)

func eventKey(nanos int64, id []byte) []byte {
	k := binary.BigEndian.AppendUint64([]byte{tagEvent, '|'}, uint64(max(nanos, 0)))
	return append(append(k, '|'), id...)
}

// eventRow is an event of rec, ready to be put.
func (s *Service) eventRow(v *vault, k *kind, rec *record, what string, more ...func(*event)) (sealed, error) {
	id := make([]byte, eventID)
	_, _ = rand.Read(id) // never fails
	e := event{
		ID: hex.EncodeToString(id), What: what, Kind: k.title, Plural: k.plural, Vault: v.name, Name: rec.Name, Version: rec.Version, NotBefore: rec.NotBefore,
		Expires: rec.Expires, Nanos: s.deps.Clock.Now().UnixNano(),
	}
	for _, add := range more {
		add(&e)
	}
	return sealRow(s, v.shard, eventKey(e.Nanos, id), eventCodec, e)
}

func (e *event) public(topic string) Event {
	origin := "Microsoft.KeyVault."
	if e.What == eventContacts || e.What == eventNotRenewed {
		origin = "Bulkhead.KeyVault."
	}
	k := kind{plural: e.Plural}
	return Event{
		ID: e.ID, Topic: topic, Subject: e.Name, Type: origin + e.Kind + e.What, Time: time.Unix(0, e.Nanos).UTC(), Version: "1", Metadata: "1",
		Data: EventData{
			ID: k.id("https://"+wire.Hosts{}.Authority(wire.Host{Public: true}, wire.HostVault, e.Vault), e.Name, e.Version), VaultName: e.Vault, ObjectType: e.Kind,
			ObjectName: e.Name, Version: e.Version, NotBefore: e.NotBefore, Expires: e.Expires, Contacts: e.Contacts, Reason: e.Reason,
		},
	}
}

// Events are what happened in a vault from since on, oldest first, at most 1,000: the next call begins where they end. A soft-deleted vault still has them.
func (s *Service) Events(ctx context.Context, name string, since time.Time) ([]Event, error) {
	e, err := s.deps.Names.Lookup(ctx, wire.HostVault, name)
	if err != nil {
		return nil, err
	}
	if e == nil {
		return nil, fault.New(fault.NotFound, "VaultNotFound", "There is no key vault with the name %s.", clip(name))
	}
	shard := shardOf(e.GUID)
	span := store.Prefix([]byte{tagEvent, '|'})
	switch { // UnixNano knows some centuries only
	case since.Year() > 2261:
		return []Event{}, nil
	case since.Year() >= 1970:
		span.Start = eventKey(since.UnixNano(), nil)
	}
	var rows []sealed
	err = s.deps.Store.View(ctx, shard, func(sn store.Snapshot) error {
		rows = nil
		return sn.Scan(span, func(k, value []byte) bool {
			rows = append(rows, sealed{clone(k), clone(value)})
			return len(rows) < maxEvents
		})
	})
	if err != nil {
		return nil, err
	}
	out := make([]Event, 0, len(rows))
	for _, row := range rows {
		ev, err := openRow(s, shard, row.key, row.value, eventCodec)
		if err != nil {
			return nil, err
		}
		out = append(out, ev.public(e.ResourceID))
	}
	return out, nil
}

// adminRoutes are what the command line asks over the admin socket.
func (s *Service) adminRoutes() []wire.Route {
	return []wire.Route{{
		Host: wire.HostAdmin, Method: "GET", Pattern: "/vaults/{vault}/events", Operation: "GetVaultEvents", Auth: wire.Anonymous, Quiet: true,
		Handler: func(ctx context.Context, r *wire.Request) (any, error) {
			var since time.Time
			if text := r.Query("since"); text != "" {
				var err error
				if since, err = time.Parse(time.RFC3339Nano, text); err != nil {
					return nil, fault.New(fault.Invalid, "InvalidSince", "since must be a time such as 2026-03-01T12:00:00Z.")
				}
			}
			return s.Events(ctx, r.Param("vault"), since)
		},
	}}
}

// pruneEvents removes the events of a shard that are older than the retention.
func (s *Service) pruneEvents(ctx context.Context, shard string, now int64) error {
	end := eventKey(time.Unix(now, 0).Add(-eventRetention).UnixNano(), nil)
	span := store.Range{Start: eventKey(0, nil), End: end}
	found := false
	err := s.deps.Store.View(ctx, shard, func(sn store.Snapshot) error {
		found = false
		return sn.Scan(span, func(_, _ []byte) bool { found = true; return false })
	})
	if err != nil || !found {
		return err
	}
	_, err = s.deps.Store.Update(ctx, shard, func(tx store.Tx) error { return tx.DeleteRange(span.Start, span.End) })
	return err
}
