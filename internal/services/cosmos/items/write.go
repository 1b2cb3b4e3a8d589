package items

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/rid"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Range names one partition key range of one container.
type Range struct {
	GUID      string
	Number    uint16 // in its container
	Container string // guid of the container
	RID       rid.ID // of the container
}

// Op is what a Write does.
type Op uint8

// The operations.
const (
	Create Op = iota
	Replace
	Upsert
	Delete
	Read // in a transactional batch: the document as it is at that point
)

// Write is one operation on one document of one logical partition.
type Write struct {
	Op  Op
	EPK string // of the document
	// ID is the document's present id; Doc is what it becomes. They differ when a replacement renames it.
	ID      string
	Doc     Document
	IfMatch string // an etag as the client sent it, "*", or ""
	// IfNoneMatch "*" lets an Upsert only create.
	IfNoneMatch string
	// Number addresses the document by resource id instead of ID, when not 0.
	Number uint64
}

// Item is a document as stored.
type Item struct {
	Number uint64
	LSN    uint64 // of its last write
	ETag   string // quoted
	Time   int64  // seconds
	Text   []byte // with system properties; nil after a deletion
}

// Outcome is what a Write did.
type Outcome struct {
	Item
	Created    bool
	OldSize    int // bytes of the text that was replaced or deleted
	Properties int
}

// Usage is how full a range is.
type Usage struct{ Documents, Bytes uint64 }

// State is what is known of the range after a call.
type State struct {
	LSN   store.LSN
	Usage Usage
}

// ErrNoRange: the range is not in use: its container was deleted, or is not ready yet.
var ErrNoRange = errors.New("items: the partition key range is not in use")

// FailedWrite says which of several writes failed.
type FailedWrite struct {
	Index int
	Err   error
}

// Error implements error.
func (e *FailedWrite) Error() string { return fmt.Sprintf("write %d: %v", e.Index, e.Err) }

// Unwrap gives the cause.
func (e *FailedWrite) Unwrap() error { return e.Err }

// Store reads and writes ranges. Safe for concurrent use.
type Store struct{ st store.Store }

// New makes a Store.
func New(st store.Store) *Store { return &Store{st} }

// Init takes a range into use. It may run again.
func (s *Store) Init(ctx context.Context, r Range) error {
	_, err := s.st.Update(ctx, Shard(r.GUID), func(tx store.Tx) error {
		if b, err := tx.Get(rangeKey); b != nil || err != nil {
			return err
		}
		return tx.Put(rangeKey, rangeRecord{number: r.Number, container: r.Container}.encode())
	})
	return err
}

// Drop removes a range with all documents. It may run again.
func (s *Store) Drop(ctx context.Context, guid string) error { return s.st.Drop(ctx, Shard(guid)) }

// prepared is a Write with all that can be made ready outside the transaction.
type prepared struct {
	*Write
	epk    []byte
	etag   [16]byte
	quoted string
}

// Apply does the writes in one transaction, or none of them. At most 100.
func (s *Store) Apply(ctx context.Context, r Range, now time.Time, writes []Write) ([]Outcome, State, error) {
	ps := make([]prepared, len(writes))
	for i := range writes {
		epk, err := epkBytes(writes[i].EPK)
		if err != nil {
			return nil, State{}, err
		}
		ps[i] = prepared{Write: &writes[i], epk: epk}
		_, _ = rand.Read(ps[i].etag[:]) // never fails
		ps[i].quoted = quoteETag(ps[i].etag)
	}
	out := make([]Outcome, len(writes))
	var state State
	t := transaction{r: r, time: now.Unix()}
	lsn, err := s.st.Update(ctx, Shard(r.GUID), func(tx store.Tx) error {
		b, err := tx.Get(rangeKey)
		if err != nil {
			return err
		}
		if b == nil {
			return ErrNoRange
		}
		if t.record, err = decodeRange(b); err != nil {
			return err
		}
		t.tx, t.wrote = tx, false
		for i := range ps {
			t.seq = uint8(i)
			if out[i], err = t.apply(&ps[i]); err != nil {
				return &FailedWrite{i, err}
			}
		}
		state.Usage = Usage{t.record.documents, t.record.bytes}
		if !t.wrote {
			return nil
		}
		return tx.Put(rangeKey, t.record.encode())
	})
	if err != nil {
		return nil, State{}, err
	}
	state.LSN = lsn
	return out, state, nil
}

// transaction is the run of Apply's function.
type transaction struct {
	tx     store.Tx
	r      Range
	record rangeRecord
	time   int64
	seq    uint8
	wrote  bool
}

// stored is a document found in the transaction.
type stored struct {
	number uint64
	header header
	text   []byte
}

func (t *transaction) find(epk []byte, id string, number uint64) (*stored, error) {
	if number == 0 {
		b, err := t.tx.Get(idKey(epk, id))
		if b == nil || err != nil {
			return nil, err
		}
		if number, err = parseNumber(b); err != nil {
			return nil, err
		}
	}
	b, err := t.tx.Get(docKey(epk, number))
	if b == nil || err != nil {
		return nil, err
	}
	s := &stored{number: number}
	s.header, s.text, err = decodeDocument(b)
	return s, err
}

func (t *transaction) apply(p *prepared) (Outcome, error) {
	if p.Op == Create {
		return t.create(p)
	}
	old, err := t.find(p.epk, p.ID, p.Number)
	switch {
	case err != nil:
		return Outcome{}, err
	case old == nil && p.Op == Upsert && p.IfMatch == "":
		return t.create(p)
	case old == nil && p.Op == Upsert:
		return Outcome{}, errPrecondition()
	case old == nil:
		return Outcome{}, ErrNotFound()
	case p.IfMatch != "" && !MatchETag(p.IfMatch, quoteETag(old.header.etag)):
		return Outcome{}, errPrecondition()
	case p.Op == Upsert && p.IfNoneMatch == "*":
		return Outcome{}, errPrecondition()
	case p.Op == Read:
		return Outcome{Item: old.item()}, nil
	case p.Op == Delete:
		return t.remove(p, old)
	}
	return t.replace(p, old)
}

func (t *transaction) create(p *prepared) (Outcome, error) {
	key := idKey(p.epk, p.Doc.ID)
	if b, err := t.tx.Get(key); err != nil {
		return Outcome{}, err
	} else if b != nil {
		return Outcome{}, errConflict(p.Doc.ID)
	}
	number := documentNumber(t.record.number, t.tx.LSN(), t.seq)
	text, err := t.put(p, number, p.Doc)
	if err != nil {
		return Outcome{}, err
	}
	if err := t.tx.Put(key, numberValue(number)); err != nil {
		return Outcome{}, err
	}
	if err := t.tx.Put(orderKey(number), p.epk); err != nil {
		return Outcome{}, err
	}
	t.record.documents++
	t.record.bytes += uint64(len(text))
	return Outcome{Item: t.item(p, number, text), Created: true, Properties: p.Doc.Properties}, nil
}

func (t *transaction) replace(p *prepared, old *stored) (Outcome, error) {
	doc := p.Doc
	// Upsert addresses by the new id, so that only a replacement can rename.
	if was := t.oldID(p, old); was != doc.ID {
		if b, err := t.tx.Get(idKey(p.epk, doc.ID)); err != nil {
			return Outcome{}, err
		} else if b != nil {
			return Outcome{}, errConflict(doc.ID)
		}
		if err := t.tx.Delete(idKey(p.epk, was)); err != nil {
			return Outcome{}, err
		}
		if err := t.tx.Put(idKey(p.epk, doc.ID), numberValue(old.number)); err != nil {
			return Outcome{}, err
		}
	}
	oldSize := len(old.text)
	oldLog := logKey(old.header.lsn, old.header.seq)
	text, err := t.put(p, old.number, doc)
	if err != nil {
		return Outcome{}, err
	}
	if err := t.tx.Delete(oldLog); err != nil {
		return Outcome{}, err
	}
	t.record.bytes += uint64(len(text)) - uint64(oldSize)
	return Outcome{Item: t.item(p, old.number, text), OldSize: oldSize, Properties: doc.Properties}, nil
}

func (t *transaction) remove(p *prepared, old *stored) (Outcome, error) {
	oldSize := len(old.text)
	for _, key := range [][]byte{
		idKey(p.epk, t.oldID(p, old)), docKey(p.epk, old.number), orderKey(old.number), logKey(old.header.lsn, old.header.seq),
	} {
		if err := t.tx.Delete(key); err != nil {
			return Outcome{}, err
		}
	}
	t.wrote = true
	t.record.documents--
	t.record.bytes -= uint64(oldSize)
	return Outcome{Item: Item{Number: old.number, LSN: uint64(t.tx.LSN())}, OldSize: oldSize}, nil
}

// oldID is the present id of a document, which a request by resource id does not give.
func (t *transaction) oldID(p *prepared, old *stored) string {
	if p.Number == 0 {
		return p.ID
	}
	return textID(old.text)
}

// textID reads the id of a stored text.
func textID(text []byte) string {
	s := scanner{b: text}
	members, _ := s.document()
	id := ""
	for _, m := range members {
		if name := text[m.nameStart:m.nameEnd]; string(name) == `"id"` || m.escaped && unquote(name) == "id" {
			id = unquote(text[m.valueStart:m.valueEnd])
		}
	}
	return id
}

// put writes the document and its log row.
func (t *transaction) put(p *prepared, number uint64, doc Document) ([]byte, error) {
	t.wrote = true
	h := header{lsn: uint64(t.tx.LSN()), seq: t.seq, time: t.time, etag: p.etag}
	b := make([]byte, 0, headerSize+len(doc.Text)+240)
	b = h.append(b)
	b = t.appendText(b, doc.Text, number, p.quoted)
	if err := t.tx.Put(docKey(p.epk, number), b); err != nil {
		return nil, err
	}
	return b[headerSize:], t.tx.Put(logKey(h.lsn, h.seq), logValue(number, p.epk))
}

// appendText appends the text with the system properties before its closing brace.
func (t *transaction) appendText(b, text []byte, number uint64, quoted string) []byte {
	id := rid.NewChild(t.r.RID, rid.Document, number)
	b = append(b, text[:len(text)-1]...)
	b = append(b, `,"_rid":"`...)
	b = append(b, id.String()...)
	b = append(b, `","_self":"`...)
	b = append(b, id.SelfLink()...)
	b = append(b, `","_etag":"\"`...)
	b = append(b, quoted[1:len(quoted)-1]...)
	b = append(b, `\"","_attachments":"attachments/","_ts":`...)
	b = strconv.AppendInt(b, t.time, 10)
	return append(b, '}')
}

func (t *transaction) item(p *prepared, number uint64, text []byte) Item {
	return Item{Number: number, LSN: uint64(t.tx.LSN()), ETag: p.quoted, Time: t.time, Text: text}
}

// item copies what was found.
func (s *stored) item() Item {
	return Item{
		Number: s.number, LSN: s.header.lsn, ETag: quoteETag(s.header.etag), Time: s.header.time, Text: append([]byte(nil), s.text...),
	}
}

func quoteETag(b [16]byte) string {
	var s [38]byte
	s[0], s[37] = '"', '"'
	hex.Encode(s[1:9], b[0:4])
	s[9] = '-'
	hex.Encode(s[10:14], b[4:6])
	s[14] = '-'
	hex.Encode(s[15:19], b[6:8])
	s[19] = '-'
	hex.Encode(s[20:24], b[8:10])
	s[24] = '-'
	hex.Encode(s[25:37], b[10:16])
	return string(s[:])
}

// MatchETag tells whether an If-Match or If-None-Match value names the etag. Quotes may be absent.
func MatchETag(sent, etag string) bool {
	return sent == "*" || sent == etag || len(etag) > 2 && sent == etag[1:len(etag)-1]
}

// ErrNotFound is the fault of an absent document.
func ErrNotFound() *fault.Error {
	return fault.New(fault.NotFound, "NotFound", "Entity with the specified id does not exist in the system.")
}

func errConflict(id string) *fault.Error {
	return fault.New(fault.Conflict, "Conflict", "Entity with the specified id already exists in the system: %q.", id)
}

func errPrecondition() *fault.Error {
	return fault.New(fault.Precondition, "PreconditionFailed", "Operation cannot be performed because one of the specified precondition is not met.")
}
