package items

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/pkey"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Images are the rows of the full-fidelity change feed: what each write made of a document and what it was before, kept for the container's
// retention. F|lsn|seq|0 holds the operation and the text after it, F|lsn|seq|1 the text before it (a value has room for one document).
// f| holds the LSN up to which they were removed.
//
// In a range that came from a merge the images of its parents have F|lsn|ff|number|seq|part instead, with the number of the parent, since LSNs and places
// of their transactions are the same; and f|1|epk holds up to where those of the EPKs from epk on had been removed (its value ends with the EPK where they end).
const (
	kindImage    = 'F'
	imageVersion = 1
	imageHead    = 2 + 1 + 1 + 8 + 8 + 1 // kind, version, operation, flags, time, previous LSN, size of the EPK
	trimStep     = 500
)

// Operations of images.
const (
	imageCreate byte = iota
	imageReplace
	imageDelete
)

const imageExpired = 1 // flag: a deletion because the time to live had ended

var trimmedKey = []byte("f|")

// trims are all rows that tell what was removed.
var trims = store.Prefix(trimmedKey)

// imageIn is the key that a parent's image has in the child.
func (p *Parent) imageIn(key []byte) []byte {
	if !p.Joined || len(key) <= logHead || key[logHead] == joinedMark {
		return key // one that came by a merge before is told apart by that already
	}
	k := append(make([]byte, 0, len(key)+1+2), key[:logHead]...)
	k = binary.BigEndian.AppendUint16(append(k, joinedMark), p.Number)
	return append(k, key[logHead:]...)
}

// trimIn is the row in the child that tells what a parent has removed. low and high bound the parent's EPKs.
func (p *Parent) trimIn(key, value, low, high []byte) row {
	if !p.Joined || len(key) != len(trimmedKey) {
		return row{bytes.Clone(key), bytes.Clone(value)}
	}
	return row{append([]byte("f|\x01"), low...), append(bytes.Clone(value), high...)}
}

// trimmed tells whether images after an LSN were removed that are in a stretch of document keys.
func trimmed(sn store.Snapshot, after uint64, within store.Range) (found bool, err error) {
	err = sn.Scan(trims, func(key, value []byte) bool {
		if len(value) < 8 || binary.BigEndian.Uint64(value) <= after {
			return true
		}
		if len(key) > len(trimmedKey) {
			low, high := append([]byte("D|"), key[len(trimmedKey)+1:]...), append([]byte("D|"), value[8:]...)
			if bytes.Compare(high, within.Start) <= 0 || within.End != nil && bytes.Compare(low, within.End) >= 0 {
				return true
			}
		}
		found = true
		return false
	})
	return found, err
}

// ErrTrimmed: the feed is asked for changes that are older than the container's retention.
var ErrTrimmed = errors.New("items: these changes are kept no longer")

// row is a key and its value.
type row struct{ key, value []byte }

func imageKey(lsn uint64, seq uint16, part byte) []byte {
	return append(appendSeq(binary.BigEndian.AppendUint64([]byte{kindImage, '|'}, lsn), seq), part)
}

// imagePart reads from a row's key which part it is.
func imagePart(key []byte) (part byte, ok bool) {
	place := key[min(logHead, len(key)):]
	if len(place) > 3 && place[0] == joinedMark {
		place = place[3:] // behind the number of the range it was in
	}
	_, rest, ok := parseSeq(place)
	if !ok || len(rest) != 1 {
		return 0, false
	}
	return rest[0], true
}

// image writes what a client's write did to a document: old is what it was (nil: it is new), text what it became (nil: it is gone).
func (t *transaction) image(p *prepared, old *stored, text []byte) error {
	if old != nil {
		if err := t.keepForCut(p, old); err != nil {
			return err
		}
	}
	if t.r.Retention == 0 || t.record.status != active {
		return nil
	}
	op, flags, previous := imageCreate, byte(0), uint64(0)
	if old != nil {
		op, previous = imageReplace, old.header.lsn
	}
	if text == nil {
		op = imageDelete
	}
	if op == imageDelete && t.why == Expired {
		flags = imageExpired
	}
	head := make([]byte, 0, imageHead+len(p.epk)+len(text))
	head = append(head, kindImage, imageVersion, op, flags)
	head = binary.BigEndian.AppendUint64(head, uint64(t.time))
	head = binary.BigEndian.AppendUint64(head, previous)
	head = append(append(head, byte(len(p.epk))), p.epk...)
	if err := t.tx.Put(imageKey(uint64(t.lsn), t.seq, 0), append(head, text...)); err != nil || old == nil {
		return err
	}
	return t.tx.Put(imageKey(uint64(t.lsn), t.seq, 1), append(bytes.Clone(head), old.text...))
}

// imageRow is a decoded row.
type imageRow struct {
	op, flags byte
	time      int64
	previous  uint64
	epk, text []byte // borrowed
}

func decodeImage(b []byte) (imageRow, error) {
	switch {
	case len(b) < imageHead || b[0] != kindImage:
		return imageRow{}, errors.New("items: an image row is something else")
	case b[1] > imageVersion:
		return imageRow{}, fmt.Errorf("%w: record kind %q has version %d, this program knows up to %d", store.ErrVersion, kindImage, b[1], imageVersion)
	case len(b) < imageHead+int(b[imageHead-1]):
		return imageRow{}, errors.New("items: an image row is cut short")
	}
	end := imageHead + int(b[imageHead-1])
	return imageRow{
		op: b[2], flags: b[3], time: int64(binary.BigEndian.Uint64(b[4:])), previous: binary.BigEndian.Uint64(b[12:]), epk: b[imageHead:end], text: b[end:],
	}, nil
}

// Images reads the full-fidelity feed on after an LSN, as Changes does the feed of latest versions. Changes that are kept no longer: ErrTrimmed.
func (s *Store) Images(ctx context.Context, r Range, sel Selection, after uint64, rows, size int) (FeedPage, error) {
	out := FeedPage{State: State{Range: r}}
	within, err := sel.keys()
	if err != nil {
		return out, err
	}
	err = s.st.View(ctx, Shard(r.GUID), func(sn store.Snapshot) error {
		out = FeedPage{State: State{Range: r, LSN: r.lsn(sn.LSN())}}
		if sn.LSN() == 0 {
			return ErrNoRange
		}
		out.Next = max(after, uint64(out.LSN))
		if gone, err := trimmed(sn, after, within); err != nil {
			return err
		} else if gone {
			return ErrTrimmed
		}
		var bad error
		scanned, sum, last := 0, 0, after
		var open *imageRow // whose previous text may follow
		var openLSN uint64
		flush := func() {
			if open != nil {
				out.Rows = append(out.Rows, open.render(&r, openLSN, nil))
				open = nil
			}
		}
		err := sn.Scan(afterLSN(kindImage, after), func(key, value []byte) bool {
			im, err := decodeImage(value)
			part, ok := imagePart(key)
			if err != nil || !ok {
				bad = errors.Join(err, errors.New("items: the full-fidelity log holds something else"))
				return false
			}
			lsn := binary.BigEndian.Uint64(key[2:])
			if part == 0 {
				flush()
			}
			if scanned++; lsn != last && (len(out.Rows) >= rows || sum >= size || scanned > feedScans) {
				out.Next = last
				return false
			}
			last = lsn
			if sel.Bounded && !holds(within, docKey(im.epk, 0)) {
				return true
			}
			sum += len(value)
			if part == 0 {
				im.epk, im.text = nil, bytes.Clone(im.text)
				open, openLSN = &im, lsn
				return true
			}
			if open != nil {
				out.Rows = append(out.Rows, open.render(&r, lsn, im.text))
				open = nil
			}
			return true
		})
		flush()
		if err == nil {
			err = bad
		}
		return err
	})
	return out, err
}

// render makes the feed's entry. A deletion has an empty current item, and, beside the image of what was deleted, its id and partition key, as clients want
// them (Microsoft.Azure.Cosmos.ChangeFeedMetadata).
func (im *imageRow) render(r *Range, lsn uint64, previous []byte) []byte {
	b := make([]byte, 0, len(im.text)+len(previous)+200)
	b = append(b, `{"current":`...)
	if im.op == imageDelete {
		b = append(b, "{},"...)
	} else {
		b = append(append(b, im.text...), ',')
	}
	if previous != nil {
		b = append(append(append(b, `"previous":`...), previous...), ',')
	}
	b = append(b, `"metadata":{"operationType":"`...)
	b = append(b, [...]string{"create", "replace", "delete"}[min(im.op, imageDelete)]...)
	b = append(b, `","lsn":`...)
	b = strconv.AppendUint(b, lsn, 10)
	b = append(b, `,"crts":`...)
	b = strconv.AppendInt(b, im.time, 10)
	if im.op != imageCreate {
		b = append(b, `,"previousImageLSN":`...)
		b = strconv.AppendUint(b, im.previous, 10)
	}
	if im.op == imageDelete {
		b = append(b, `,"id":`...)
		id, _ := json.Marshal(textID(previous)) // strings always marshal
		b = append(append(b, id...), `,"partitionKey":`...)
		b = appendKeys(b, r.Keys, previous)
		if im.flags&imageExpired != 0 {
			b = append(b, `,"timeToLiveExpired":true`...)
		}
	}
	return append(b, "}}"...)
}

// appendKeys appends an object of a document's partition key: a property for each path, without its first slash; what the document lacks is left out.
func appendKeys(b []byte, paths []string, text []byte) []byte {
	key, err := pkey.Extract(text, paths)
	if err != nil {
		return append(b, "{}"...) // a stored document is one
	}
	b = append(b, '{')
	first := true
	for i, v := range key {
		if v.Type == pkey.Undefined {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		segments, _ := pkey.SplitPath(paths[i]) // was split just now
		name, _ := json.Marshal(strings.Join(segments, "/"))
		b = v.AppendJSON(append(append(b, name...), ':'))
	}
	return append(b, '}')
}

// TrimImages removes some of the images that are older than a time, and tells whether there are more.
func (s *Store) TrimImages(ctx context.Context, r Range, before time.Time) (more bool, err error) {
	// By LSN, as the log is read. Where a merge brought two logs together an old image may stand behind a younger one, and waits for that.
	var lsn, at uint64
	n := 0
	err = s.st.View(ctx, Shard(r.GUID), func(sn store.Snapshot) error {
		lsn, at, n = 0, 0, 0
		ended := true
		err := sn.Scan(store.Prefix([]byte{kindImage, '|'}), func(key, value []byte) bool {
			im, err := decodeImage(value)
			if l := binary.BigEndian.Uint64(key[2:]); l != at {
				if lsn, at = at, l; n >= trimStep { // all of that LSN are old
					ended = false
					return false
				}
			}
			ended = err == nil && im.time < before.Unix()
			n++
			return ended
		})
		if ended {
			lsn = at
		}
		return err
	})
	if lsn == 0 || err != nil {
		return false, err
	}
	err = s.amend(ctx, r, func(tx store.Tx, rec *rangeRecord) error {
		if rec.status != active {
			return ErrNoRange
		}
		if err := tx.DeleteRange([]byte{kindImage, '|'}, imageKey(lsn+1, 0, 0)); err != nil {
			return err
		}
		return tx.Put(trimmedKey, binary.BigEndian.AppendUint64(nil, lsn))
	})
	return n >= trimStep, err
}

// copyImages copies some of the images that the parent had when the child was made. moved tells that there may be more.
func (s *Store) copyImages(ctx context.Context, parent Parent, child Range, at *progress) (moved bool, err error) {
	low, high, err := child.bounds()
	if err != nil {
		return false, err
	}
	from := store.Prefix([]byte{kindImage, '|'})
	if at.Images != nil {
		from.Start = append(bytes.Clone(at.Images), 0)
	}
	from.End = imageKey(at.Log+1, 0, 0)
	if bytes.Compare(from.Start, from.End) >= 0 {
		return false, nil
	}
	var rows []row
	err = s.st.View(ctx, Shard(parent.GUID), func(sn store.Snapshot) (err error) {
		rows, at.Images, err = scanImages(sn, from, low, high)
		return err
	})
	if err != nil || at.Images == nil {
		return false, err
	}
	for i := range rows {
		rows[i].key = parent.imageIn(rows[i].key)
	}
	return true, s.putImages(ctx, parent.Place, child, rows, at)
}

// scanImages reads rows of the EPKs [low, high), as many as fit into a step, and gives the key up to which it read; nil: there was nothing.
func scanImages(sn store.Snapshot, from store.Range, low, high []byte) (rows []row, last []byte, err error) {
	var bad error
	n, size := 0, 0
	err = sn.Scan(from, func(key, value []byte) bool {
		if n++; n > trimStep || size > stepBytes {
			return false
		}
		last = bytes.Clone(key)
		im, err := decodeImage(value)
		if err != nil {
			bad = err
			return false
		}
		if bytes.Compare(im.epk, low) >= 0 && bytes.Compare(im.epk, high) < 0 {
			rows, size = append(rows, row{last, bytes.Clone(value)}), size+len(value)
		}
		return true
	})
	if err == nil {
		err = bad
	}
	return rows, last, err
}

// followImages brings the images of (after, through] into the child. Written twice they are the same.
func (s *Store) followImages(ctx context.Context, parent Parent, child Range, after, through uint64) error {
	low, high, err := child.bounds()
	if err != nil {
		return err
	}
	pLow, pHigh, err := parent.bounds()
	if err != nil {
		return err
	}
	from := afterLSN(kindImage, after)
	from.End = imageKey(through+1, 0, 0)
	for {
		var rows []row
		var last []byte
		err = s.st.View(ctx, Shard(parent.GUID), func(sn store.Snapshot) (err error) {
			if rows, last, err = scanImages(sn, from, low, high); err != nil {
				return err
			}
			for i := range rows {
				rows[i].key = parent.imageIn(rows[i].key)
			}
			return sn.Scan(trims, func(key, value []byte) bool {
				rows = append(rows, parent.trimIn(key, value, pLow, pHigh))
				return true
			})
		})
		if err != nil {
			return err
		}
		if err := s.putImages(ctx, parent.Place, child, rows, nil); err != nil || last == nil {
			return err
		}
		from.Start = append(last, 0)
	}
}

// putImages writes rows into a child, and with at how far it then is.
func (s *Store) putImages(ctx context.Context, place int, child Range, rows []row, at *progress) error {
	if len(rows) == 0 && at == nil {
		return nil
	}
	var value []byte
	var err error
	if at != nil {
		if value, err = progressCodec.Encode(*at); err != nil {
			return err
		}
	}
	return s.amend(ctx, child, func(tx store.Tx, rec *rangeRecord) error {
		if err := rec.admit(true); err != nil {
			return err
		}
		for _, r := range rows {
			if err := tx.Put(r.key, r.value); err != nil {
				return err
			}
		}
		if value == nil {
			return nil
		}
		return tx.Put(progressKey(place), value)
	})
}
