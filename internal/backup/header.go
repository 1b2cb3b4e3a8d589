package backup

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Format is the version of the file's form that this program writes, and the newest it reads.
const Format = 1

const (
	magic     = "bulkhead backup\n"
	maxHeader = 64 << 10
	frameData = 'D'
	frameLast = 'E'
	frameFail = 'X'
	maxFrame  = 2 << 20 // bytes of a sealed frame
	chunk     = 1 << 20 // bytes of compressed stream in a frame
	maxWindow = 8 << 20 // of zstd
)

// Header is what anybody may know of a backup.
type Header struct {
	Format     int       `json:"format"`
	ID         string    `json:"id"` // a GUID
	Created    time.Time `json:"created"`
	Release    string    `json:"release"`    // of the program that wrote it
	DataFormat int       `json:"dataFormat"` // of the data folder
	KeyID      string    `json:"keyId"`      // of the sealing key that opens it, which is in the key ring
	// Keyring is the data folder's key ring, which the master key opens. It is encrypted.
	Keyring []byte `json:"keyring"`
	// MasterKey is that master key itself, only if it was asked for. Such a file is as secret as the key.
	MasterKey []byte `json:"masterKey,omitempty"`
}

// Summary says how much a backup holds.
type Summary struct {
	Shards  uint64 `json:"shards"`
	Records uint64 `json:"records"`
	Files   uint64 `json:"files"`
	Bytes   uint64 `json:"bytes"` // before compression
}

// Errors of reading.
var (
	ErrNotBackup  = errors.New("backup: this is no backup file")
	ErrIncomplete = errors.New("backup: the file ends before the backup does")
	ErrNewer      = errors.New("backup: written by a newer program")
	ErrDamaged    = errors.New("backup: damaged")
)

// Sealer is what the frames need of package seal.
type Sealer interface {
	KeyID() string
	Seal(shard string, key, plaintext []byte) ([]byte, error)
	Opener
}

// Opener opens what Sealer sealed.
type Opener interface {
	Open(shard string, key, sealed []byte) ([]byte, error)
}

// place is what a frame is bound to, besides its shard.
type place struct {
	shard  string
	digest [sha256.Size]byte
	next   uint64
}

func newPlace(h Header, raw []byte) place {
	return place{shard: "backup/" + h.ID, digest: sha256.Sum256(raw)}
}

func (p *place) key(kind byte) []byte {
	k := append(make([]byte, 0, sha256.Size+9), p.digest[:]...)
	k = append(binary.BigEndian.AppendUint64(k, p.next), kind)
	p.next++
	return k
}

func writeHeader(w io.Writer, h Header) ([]byte, error) {
	raw, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	b := binary.BigEndian.AppendUint32([]byte(magic), uint32(len(raw)))
	_, err = w.Write(append(b, raw...))
	return raw, err
}

func readHeader(r io.Reader) (h Header, raw []byte, err error) {
	var head [len(magic) + 4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil || string(head[:len(magic)]) != magic {
		return h, nil, ErrNotBackup
	}
	n := binary.BigEndian.Uint32(head[len(magic):])
	if n > maxHeader {
		return h, nil, ErrNotBackup
	}
	raw = make([]byte, n)
	if _, err := io.ReadFull(r, raw); err != nil {
		return h, nil, ErrIncomplete
	}
	if err := json.Unmarshal(raw, &h); err != nil {
		return h, nil, fmt.Errorf("%w: header: %w", ErrDamaged, err)
	}
	if h.Format > Format {
		return h, nil, fmt.Errorf("%w: its format is version %d (written by %s), this program knows up to %d", ErrNewer, h.Format, h.Release, Format)
	}
	if h.Format < 1 || h.ID == "" {
		return h, nil, fmt.Errorf("%w: header", ErrDamaged)
	}
	return h, raw, nil
}

// readFrame reads one frame into buf, which it may grow.
func readFrame(r io.Reader, buf []byte) (kind byte, body []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, ErrIncomplete
	}
	kind = head[0]
	n := binary.BigEndian.Uint32(head[1:])
	if n > maxFrame || kind != frameData && kind != frameLast && kind != frameFail {
		return 0, nil, fmt.Errorf("%w: a frame of kind %#x with %d bytes", ErrDamaged, kind, n)
	}
	if uint32(cap(buf)) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if _, err := io.ReadFull(r, buf); err != nil {
		return 0, nil, ErrIncomplete
	}
	if kind == frameFail {
		return 0, nil, fmt.Errorf("backup: its writer gave up: %s", buf)
	}
	return kind, buf, nil
}
