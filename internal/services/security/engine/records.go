package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/bulkheadhq/bulkhead/agent/batch"
	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// See doc.go for what is where.

// state is what a machine's shard knows beside the batches.
type state struct {
	Last    uint64 `json:"last"`    // number of the last batch
	Machine string `json:"machine"` // ARM id, as it was when that came
}

// effect is what a batch does to the alerts of its subscription: one outbox row.
type effect struct {
	GUID         string         `json:"guid"` // of the machine
	Subscription string         `json:"subscription"`
	Seq          uint64         `json:"seq"`
	Part         int            `json:"part"`
	Alerts       []alerts.Alert `json:"alerts"` // each with the name it gets if it is new
}

// applied is how far a machine's rows were applied.
type applied struct {
	Seq  uint64 `json:"seq"`
	Part int    `json:"part"`
}

func (a applied) covers(e *effect) bool { return e.Seq < a.Seq || e.Seq == a.Seq && e.Part <= a.Part }

var (
	stateCodec   = store.Codec[state]{Kind: 'S', Version: 1}
	effectCodec  = store.Codec[effect]{Kind: 'E', Version: 1}
	appliedCodec = store.Codec[applied]{Kind: 'M', Version: 1}
	ruleCodec    = store.Codec[Rule]{Kind: 'R', Version: 1}
)

func machineShard(guid string) string { return "machine/" + guid }
func stateKey() []byte                { return []byte("S|") }
func batchKey(seq uint64) []byte      { return binary.BigEndian.AppendUint64([]byte("B|"), seq) }
func appliedKey(guid string) []byte   { return []byte("M|" + guid) }

func latestKey(key string) []byte {
	sum := sha256.Sum256([]byte(key))
	return append([]byte("K|"), sum[:16]...)
}

// kept is a batch in the log. Its record is binary, since what it holds is: the kind 'B', the version 1, two numbers as varints, and the packed batch.
type kept struct {
	seq    uint64
	events int
	taken  int64 // when it came, milliseconds
	bytes  int
}

const batchKind, batchVersion = 'B', 1

func encodeBatch(k kept, packed []byte) []byte {
	b := make([]byte, 0, 2+3*binary.MaxVarintLen64+len(packed))
	b = append(b, batchKind, batchVersion)
	b = binary.AppendUvarint(b, uint64(k.events))
	b = binary.AppendVarint(b, k.taken)
	return append(b, packed...)
}

var errBatch = errors.New("a stored batch is damaged")

func decodeBatch(seq uint64, b []byte) (k kept, packed []byte, err error) {
	if len(b) < 2 || b[0] != batchKind {
		return k, nil, errBatch
	}
	if b[1] > batchVersion {
		return k, nil, fmt.Errorf("%w: a batch of version %d, this program knows up to %d", store.ErrVersion, b[1], batchVersion)
	}
	rest := b[2:]
	events, n := binary.Uvarint(rest)
	if n <= 0 || events > batch.MaxEvents {
		return k, nil, errBatch
	}
	rest = rest[n:]
	taken, n := binary.Varint(rest)
	if n <= 0 {
		return k, nil, errBatch
	}
	return kept{seq: seq, events: int(events), taken: taken, bytes: len(b)}, rest[n:], nil
}

// checkpoint is what correlations of rules remembered behind a batch: those before it need not be kept for them. Its record is binary: the kind 'G', the version 1, the number of
// the batch as a varint, and what rules.State wrote.
const (
	checkpointKind, checkpointVersion = 'G', 1

	maxCheckpoint = 1 << 20 // bytes
)

func checkpointKey() []byte { return []byte("G|") }

func encodeCheckpoint(seq uint64, snapshot []byte) []byte {
	return append(binary.AppendUvarint([]byte{checkpointKind, checkpointVersion}, seq), snapshot...)
}

// decodeCheckpoint gives no number of what can't be read: then all batches are asked about again.
func decodeCheckpoint(b []byte) (seq uint64, snapshot []byte) {
	if len(b) < 2 || b[0] != checkpointKind || b[1] != checkpointVersion {
		return 0, nil
	}
	seq, n := binary.Uvarint(b[2:])
	if n <= 0 {
		return 0, nil
	}
	return seq, b[2+n:]
}

const nameKind, nameVersion = 'K', 1

func encodeName(name string) []byte { return append([]byte{nameKind, nameVersion}, name...) }

func decodeName(b []byte) (name string, ok bool) {
	if len(b) < 2 || b[0] != nameKind || b[1] != nameVersion {
		return "", false
	}
	return string(b[2:]), true
}
