package items

import (
	"strconv"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/index"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/rid"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// transaction is the run of Apply's function.
type transaction struct {
	tx     store.Tx
	r      Range
	lsn    store.LSN // of the range, that it will commit as
	expiry expiry
	record rangeRecord
	time   int64
	seq    uint16
	wrote  bool
	why    Removal // of the document that is being removed

	partition uint64 // how much a logical partition may hold; 0: all

	index     *index.Index // what the rows were prepared for
	state     index.State
	indexKeys int
}

// begin reads what every write needs to know of the range. split tells that it is one of a split.
func (t *transaction) begin(tx store.Tx, split bool) error {
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
	if err := t.record.admit(split); err != nil {
		return err
	}
	t.tx, t.wrote, t.lsn = tx, false, t.r.lsn(tx.LSN())
	return t.expiry.load(tx)
}

// stored is a document found in the transaction.
type stored struct {
	number uint64
	header header
	text   []byte
}

// find gives the document of an id, or of a number if that is not 0; nil if there is none, or it has ended.
func (t *transaction) find(epk []byte, id string, number uint64) (*stored, error) {
	s, err := t.holder(epk, id, number)
	if s == nil || err != nil || t.expiry.ended(s.header) {
		return nil, err
	}
	return s, nil
}

// holder is find, ended or not.
func (t *transaction) holder(epk []byte, id string, number uint64) (*stored, error) {
	if number == 0 {
		b, err := t.tx.Get(idKey(epk, id))
		if b == nil || err != nil {
			return nil, err
		}
		if number, err = parseNumber(b); err != nil {
			return nil, err
		}
	}
	return t.lookup(epk, number)
}

func (t *transaction) lookup(epk []byte, number uint64) (*stored, error) {
	b, err := t.tx.Get(docKey(epk, number))
	if b == nil || err != nil {
		return nil, err
	}
	s := &stored{number: number}
	s.header, s.text, err = decodeDocument(b)
	return s, err
}

func (t *transaction) apply(p *prepared) (Outcome, error) {
	switch p.Op {
	case Create:
		return t.create(p)
	case expire:
		return t.expire(p)
	case adopt:
		return t.adopt(p)
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
	case p.Op == Read:
		return t.read(p, old), nil
	case p.IfNoneMatch != "" && MatchETag(p.IfNoneMatch, quoteETag(old.header.etag)):
		return Outcome{}, errPrecondition()
	case p.Op == Delete:
		return t.remove(p, old, Requested)
	}
	return t.replace(p, old)
}

func (t *transaction) read(p *prepared, old *stored) Outcome {
	if etag := quoteETag(old.header.etag); p.IfNoneMatch != "" && MatchETag(p.IfNoneMatch, etag) {
		return Outcome{Item: Item{Number: old.number, LSN: old.header.lsn, ETag: etag, Time: old.header.time}, Unchanged: true}
	}
	return Outcome{Item: old.item()}
}

func (t *transaction) create(p *prepared) (Outcome, error) {
	key := idKey(p.epk, p.Doc.ID)
	if err := t.free(p, p.Doc.ID); err != nil {
		return Outcome{}, err
	}
	number := t.numberFor(p)
	if err := t.claim(p, number, nil); err != nil {
		return Outcome{}, err
	}
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
	if err := t.reindex(p, number, nil, false); err != nil {
		return Outcome{}, err
	}
	if err := t.image(p, nil, text); err != nil {
		return Outcome{}, err
	}
	t.record.documents++
	if err := t.resize(p.epk, number, 0, len(text)); err != nil {
		return Outcome{}, err
	}
	return Outcome{Item: t.item(p, number, text), Created: true, Properties: p.Doc.Properties}, nil
}

// free makes sure that no document has the id.
func (t *transaction) free(p *prepared, id string) error {
	s, err := t.holder(p.epk, id, 0)
	switch {
	case s == nil || err != nil:
		return err
	case t.expiry.ended(s.header):
		return t.vacate(p, id, s)
	}
	return errConflict(id)
}

func (t *transaction) replace(p *prepared, old *stored) (Outcome, error) {
	doc := p.Doc
	// Upsert addresses by the new id, so that only a replacement can rename.
	if was := t.oldID(p, old); was != doc.ID {
		if err := t.free(p, doc.ID); err != nil {
			return Outcome{}, err
		}
		if err := t.tx.Delete(idKey(p.epk, was)); err != nil {
			return Outcome{}, err
		}
		if err := t.tx.Put(idKey(p.epk, doc.ID), numberValue(old.number)); err != nil {
			return Outcome{}, err
		}
	}
	if err := t.claim(p, old.number, old.header.unique); err != nil {
		return Outcome{}, err
	}
	if err := t.unqueue(old.header, old.number); err != nil {
		return Outcome{}, err
	}
	oldSize := len(old.text)
	oldLog := logKey(old.header.lsn, old.header.seq, old.number)
	if err := t.reindex(p, old.number, old, false); err != nil {
		return Outcome{}, err
	}
	text, err := t.put(p, old.number, doc)
	if err != nil {
		return Outcome{}, err
	}
	if err := t.tx.Delete(oldLog); err != nil {
		return Outcome{}, err
	}
	if err := t.image(p, old, text); err != nil {
		return Outcome{}, err
	}
	if err := t.resize(p.epk, old.number, oldSize, len(text)); err != nil {
		return Outcome{}, err
	}
	return Outcome{Item: t.item(p, old.number, text), OldSize: oldSize, Properties: doc.Properties}, nil
}

// Removal says why a document goes.
type Removal uint8

// The reasons.
const (
	Requested Removal = iota
	Expired           // its time to live ended
)

func (t *transaction) remove(p *prepared, old *stored, why Removal) (Outcome, error) {
	t.why = why
	oldSize := len(old.text)
	if err := t.reindex(p, old.number, old, true); err != nil {
		return Outcome{}, err
	}
	if err := t.release(p.epk, old.header.unique, old.number); err != nil {
		return Outcome{}, err
	}
	if err := t.unqueue(old.header, old.number); err != nil {
		return Outcome{}, err
	}
	for _, key := range [][]byte{
		idKey(p.epk, t.oldID(p, old)), docKey(p.epk, old.number), orderKey(old.number), logKey(old.header.lsn, old.header.seq, old.number),
	} {
		if err := t.tx.Delete(key); err != nil {
			return Outcome{}, err
		}
	}
	if err := t.deleted(p, old); err != nil {
		return Outcome{}, err
	}
	t.wrote = true
	t.record.documents--
	if err := t.resize(p.epk, old.number, oldSize, 0); err != nil {
		return Outcome{}, err
	}
	return Outcome{Item: Item{Number: old.number, LSN: uint64(t.lsn)}, OldSize: oldSize}, nil
}

// oldID is the present id of a document, which a request by resource id does not give.
func (t *transaction) oldID(p *prepared, old *stored) string {
	if p.Number == 0 || p.Op == expire {
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
	h := header{lsn: uint64(t.lsn), seq: t.seq, time: t.time, etag: p.etag, ttl: doc.TTL, unique: p.unique}
	b := make([]byte, 0, h.size()+len(doc.Text)+240)
	b = h.append(b)
	if p.source != nil {
		b = append(b, p.source.text...)
	} else {
		b = t.appendText(b, doc.Text, number, p.quoted)
	}
	if err := t.tx.Put(docKey(p.epk, number), b); err != nil {
		return nil, err
	}
	if err := t.queue(p.epk, h, number); err != nil {
		return nil, err
	}
	return b[h.size():], t.tx.Put(logKey(h.lsn, h.seq, number), logValue(number, p.epk))
}

// appendText appends the text with the system properties before its closing brace.
func (t *transaction) appendText(b, text []byte, number uint64, quoted string) []byte {
	id := rid.NewChild(t.r.RID, rid.Document, number)
	b = append(b, text[:len(text)-1]...)
	b = append(b, `,"_rid":"`...)
	b = id.Append(b)
	b = append(b, `","_self":"`...)
	b = id.AppendSelfLink(b)
	b = append(b, `","_etag":"\"`...)
	b = append(b, quoted[1:len(quoted)-1]...)
	b = append(b, `\"","_attachments":"attachments/","_ts":`...)
	b = strconv.AppendInt(b, t.time, 10)
	return append(b, '}')
}

func (t *transaction) item(p *prepared, number uint64, text []byte) Item {
	return Item{Number: number, LSN: uint64(t.lsn), ETag: p.quoted, Time: t.time, Text: text}
}

// item copies what was found.
func (s *stored) item() Item {
	return Item{
		Number: s.number, LSN: s.header.lsn, ETag: quoteETag(s.header.etag), Time: s.header.time, Text: append([]byte(nil), s.text...),
	}
}
