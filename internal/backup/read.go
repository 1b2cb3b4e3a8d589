package backup

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/klauspost/compress/zstd"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

const maxPath = 4096

// Sink receives a backup's content.
type Sink interface {
	store.Content
	// File is given a file; it need not read r to its end. path is relative, with forward slashes, and does not leave its folder.
	File(path string, mode fs.FileMode, r io.Reader) error
}

// Reader reads a backup.
type Reader struct {
	Header Header

	r     *bufio.Reader
	place place
}

// NewReader reads the header. A file of a newer format answers ErrNewer, naming both.
func NewReader(r io.Reader) (*Reader, error) {
	br := bufio.NewReaderSize(r, 64<<10)
	h, raw, err := readHeader(br)
	if err != nil {
		return nil, err
	}
	return &Reader{Header: h, r: br, place: newPlace(h, raw)}, nil
}

// Whole reads the frames without opening them: is the backup complete? That is all one can know without the key.
func (r *Reader) Whole() error {
	var buf []byte
	for {
		kind, body, err := readFrame(r.r, buf)
		if err != nil {
			return err
		}
		if buf = body; kind == frameLast {
			return r.end()
		}
	}
}

// end wants nothing behind the last frame.
func (r *Reader) end() error {
	if _, err := r.r.ReadByte(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: something lies behind its end", ErrDamaged)
	}
	return nil
}

// Read gives the content to the sink. It returns nil only if the backup is whole and undamaged; what the sink got before an error is not to be used.
func (r *Reader) Read(o Opener, to Sink) (Summary, error) {
	f := &unframer{r: r, opener: o}
	zip, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return Summary{}, err
	}
	defer zip.Close()
	e := &entries{r: bufio.NewReaderSize(zip, 64<<10), digest: sha256.New()}
	err = e.read(to)
	if f.err != nil {
		err = f.err // why the stream ended, rather than that it did
	}
	return e.sum, err
}

// unframer is the compressed stream.
type unframer struct {
	r      *Reader
	opener Opener
	sealed []byte
	plain  []byte
	last   bool
	err    error
}

// Read implements io.Reader.
func (f *unframer) Read(b []byte) (int, error) {
	for len(f.plain) == 0 {
		if f.err != nil {
			return 0, f.err
		}
		if f.last {
			if f.err = f.r.end(); f.err != nil {
				return 0, f.err
			}
			return 0, io.EOF
		}
		if f.err = f.next(); f.err != nil {
			return 0, f.err
		}
	}
	n := copy(b, f.plain)
	f.plain = f.plain[n:]
	return n, nil
}

func (f *unframer) next() error {
	kind, sealed, err := readFrame(f.r.r, f.sealed)
	if err != nil {
		return err
	}
	f.sealed, f.last = sealed[:0], kind == frameLast
	number := f.r.place.next
	if f.plain, err = f.opener.Open(f.r.place.shard, f.r.place.key(kind), sealed); err != nil {
		return fmt.Errorf("%w: frame %d: %w", ErrDamaged, number, err)
	}
	return nil
}

// entries reads the stream inside.
type entries struct {
	r      *bufio.Reader
	digest hash.Hash
	sum    Summary
	one    [1]byte
}

func (e *entries) read(to Sink) error {
	var key, value []byte
	for {
		kind, err := e.r.ReadByte()
		if err != nil {
			return incomplete(err)
		}
		if kind == 'T' { // says what there was before it
			return e.total(e.sum, e.digest.Sum(nil))
		}
		e.tookByte(kind)
		switch kind {
		case 'S':
			err = e.shard(to)
		case 'K':
			e.sum.Records++
			if key, err = e.string(key, store.MaxKey); err == nil {
				if value, err = e.string(value, store.MaxValue); err == nil {
					err = to.Record(key, value)
				}
			}
		case 'F':
			err = e.file(to)
		default:
			return fmt.Errorf("%w: an entry of kind %#x", ErrDamaged, kind)
		}
		if err != nil {
			return err
		}
	}
}

func (e *entries) shard(to Sink) error {
	e.sum.Shards++
	name, err := e.string(nil, store.MaxShard)
	if err != nil {
		return err
	}
	lsn, err := e.number()
	if err != nil {
		return err
	}
	return to.Shard(string(name), store.LSN(lsn))
}

func (e *entries) file(to Sink) error {
	e.sum.Files++
	path, err := e.string(nil, maxPath)
	if err != nil {
		return err
	}
	mode, err := e.number()
	if err != nil {
		return err
	}
	if !filepath.IsLocal(filepath.FromSlash(string(path))) || bytes.ContainsAny(path, "\\:\x00") || mode > 0o777 {
		return fmt.Errorf("%w: a file named %q with mode %o", ErrDamaged, path, mode)
	}
	in := &fileReader{e: e}
	if err := to.File(string(path), fs.FileMode(mode), in); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in)
	return err
}

// fileReader is a file's content.
type fileReader struct {
	e    *entries
	left uint64 // of the chunk
	done bool
}

// Read implements io.Reader.
func (f *fileReader) Read(b []byte) (int, error) {
	if f.left == 0 && !f.done {
		n, err := f.e.number()
		if err != nil {
			return 0, err
		}
		f.left, f.done = n, n == 0
	}
	if f.done {
		return 0, io.EOF
	}
	n, err := f.e.r.Read(b[:min(uint64(len(b)), f.left)])
	f.e.took(b[:n])
	f.left -= uint64(n)
	if errors.Is(err, io.EOF) {
		err = ErrIncomplete
	}
	return n, err
}

func (e *entries) total(sum Summary, digest []byte) error {
	for _, want := range []uint64{sum.Shards, sum.Records, sum.Files, sum.Bytes} {
		n, err := e.number()
		if err != nil {
			return err
		}
		if n != want {
			return fmt.Errorf("%w: its end does not fit what came before", ErrDamaged)
		}
	}
	var got [sha256.Size]byte
	if _, err := io.ReadFull(e.r, got[:]); err != nil {
		return ErrIncomplete
	}
	if !bytes.Equal(got[:], digest) {
		return fmt.Errorf("%w: its digest does not fit", ErrDamaged)
	}
	if _, err := e.r.ReadByte(); !errors.Is(err, io.EOF) {
		return errors.Join(fmt.Errorf("%w: something lies behind its end", ErrDamaged), err)
	}
	e.sum = sum
	return nil
}

func (e *entries) took(b []byte) {
	e.digest.Write(b)
	e.sum.Bytes += uint64(len(b))
}

func (e *entries) tookByte(b byte) {
	e.one[0] = b
	e.took(e.one[:])
}

func (e *entries) byte() (byte, error) {
	b, err := e.r.ReadByte()
	if err != nil {
		return 0, incomplete(err)
	}
	e.tookByte(b)
	return b, nil
}

func (e *entries) number() (uint64, error) {
	n, err := binary.ReadUvarint(byteReader{e})
	if err != nil && !errors.Is(err, ErrIncomplete) {
		err = fmt.Errorf("%w: a number: %w", ErrDamaged, err)
	}
	return n, err
}

// string reads into buf, which it may grow.
func (e *entries) string(buf []byte, most uint64) ([]byte, error) {
	n, err := e.number()
	if err != nil {
		return buf, err
	}
	if n > most {
		return buf, fmt.Errorf("%w: a string of %d bytes where %d are allowed", ErrDamaged, n, most)
	}
	if uint64(cap(buf)) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if _, err := io.ReadFull(e.r, buf); err != nil {
		return buf, incomplete(err)
	}
	e.took(buf)
	return buf, nil
}

type byteReader struct{ e *entries }

// ReadByte implements io.ByteReader.
func (b byteReader) ReadByte() (byte, error) { return b.e.byte() }

func incomplete(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrIncomplete
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}
