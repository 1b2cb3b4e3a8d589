package backup

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"

	"github.com/klauspost/compress/zstd"

	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Writer writes a backup. It is a store.Content, for one goroutine. Close ends it; without that what was written is no backup.
type Writer struct {
	frames *framer
	zip    *zstd.Encoder
	out    *bufio.Writer // to zip and digest
	digest hash.Hash
	sum    Summary
	head   []byte // scratch for an entry's beginning
}

// NewWriter begins a backup: it chooses the header's Format, ID and KeyID.
func NewWriter(w io.Writer, h Header, s Sealer) (*Writer, error) {
	h.Format, h.ID, h.KeyID = Format, ids.New(), s.KeyID()
	raw, err := writeHeader(w, h)
	if err != nil {
		return nil, err
	}
	bw := &Writer{frames: &framer{w: w, sealer: s, place: newPlace(h, raw)}, digest: sha256.New()}
	bw.zip, err = zstd.NewWriter(bw.frames, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	if err != nil {
		return nil, err
	}
	bw.out = bufio.NewWriterSize(io.MultiWriter(bw.zip, bw.digest), 64<<10)
	return bw, nil
}

func (w *Writer) string(s []byte) {
	w.head = append(binary.AppendUvarint(w.head, uint64(len(s))), s...)
}

func (w *Writer) number(n uint64) { w.head = binary.AppendUvarint(w.head, n) }

func (w *Writer) flushHead() error {
	n, err := w.out.Write(w.head)
	w.sum.Bytes += uint64(n)
	w.head = w.head[:0]
	return err
}

// Shard implements store.Content.
func (w *Writer) Shard(name string, lsn store.LSN) error {
	w.sum.Shards++
	w.head = append(w.head, 'S')
	w.string([]byte(name))
	w.number(uint64(lsn))
	return w.flushHead()
}

// Record implements store.Content.
func (w *Writer) Record(key, value []byte) error {
	w.sum.Records++
	w.head = append(w.head, 'K')
	w.string(key)
	w.string(value)
	return w.flushHead()
}

// File adds a file with what r gives. path has forward slashes.
func (w *Writer) File(path string, mode fs.FileMode, r io.Reader) error {
	w.sum.Files++
	w.head = append(w.head, 'F')
	w.string([]byte(path))
	w.number(uint64(mode.Perm()))
	if err := w.flushHead(); err != nil {
		return err
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(r, buf)
		if n > 0 {
			w.string(buf[:n])
			if werr := w.flushHead(); werr != nil {
				return werr
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
	}
	w.number(0)
	return w.flushHead()
}

// Close writes the end.
func (w *Writer) Close() (Summary, error) {
	if err := w.out.Flush(); err != nil {
		return w.sum, err
	}
	total := w.digest.Sum(nil)
	sum := w.sum
	w.head = append(w.head, 'T')
	for _, n := range []uint64{sum.Shards, sum.Records, sum.Files, sum.Bytes} {
		w.number(n)
	}
	w.head = append(w.head, total...)
	err := w.flushHead()
	err = errors.Join(err, w.out.Flush(), w.zip.Close())
	if err == nil {
		err = w.frames.end()
	}
	return sum, err
}

// Fail tells the reader why there is no whole backup. The text is in clear.
func (w *Writer) Fail(cause error) {
	text := cause.Error()
	_ = w.frames.frame(frameFail, []byte(text[:min(len(text), 4096)]))
	_ = w.zip.Close()
}

// framer cuts a stream into sealed frames.
type framer struct {
	w      io.Writer
	sealer Sealer
	place  place
	buf    []byte
}

// Write implements io.Writer.
func (f *framer) Write(b []byte) (int, error) {
	n := len(b)
	for len(f.buf)+len(b) > chunk {
		room := chunk - len(f.buf)
		f.buf = append(f.buf, b[:room]...)
		b = b[room:]
		if err := f.seal(frameData); err != nil {
			return 0, err
		}
	}
	f.buf = append(f.buf, b...)
	return n, nil
}

func (f *framer) end() error { return f.seal(frameLast) }

func (f *framer) seal(kind byte) error {
	sealed, err := f.sealer.Seal(f.place.shard, f.place.key(kind), f.buf)
	if err != nil {
		return err
	}
	f.buf = f.buf[:0]
	return f.frame(kind, sealed)
}

func (f *framer) frame(kind byte, body []byte) error {
	head := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)))
	if _, err := f.w.Write(head); err != nil {
		return err
	}
	_, err := f.w.Write(body)
	return err
}
