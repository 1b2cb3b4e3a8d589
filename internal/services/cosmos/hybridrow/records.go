package hybridrow

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// Schemas of RecordIO itself.
const (
	segmentSchema = 2147473648
	recordSchema  = 2147473649

	segmentSize = headerSize + 1 + 4 // with nothing but its length
	recordSize  = headerSize + 4 + 4
)

// Is tells whether a body is in this form.
func Is(body []byte) bool { return len(body) > 0 && body[0] == Version }

func schemaOf(row []byte) (int32, error) {
	if len(row) < headerSize {
		return 0, errShort
	}
	if row[0] != Version {
		return 0, fmt.Errorf("the row's version is %#x, not %#x", row[0], Version)
	}
	return int32(binary.LittleEndian.Uint32(row[1:])), nil
}

// Records takes a RecordIO stream apart: the rows of its records, at most limit. They alias b.
func Records(b []byte, limit int) ([][]byte, error) {
	var out [][]byte
	for first := true; len(b) > 0; first = false {
		schema, err := schemaOf(b)
		switch {
		case err != nil:
			return nil, err
		case schema == segmentSchema:
			n, err := segment(b)
			if err != nil {
				return nil, err
			}
			b = b[n:]
			continue
		case first || schema != recordSchema:
			return nil, fmt.Errorf("a row of the schema %d is none of a RecordIO stream", schema)
		case len(out) >= limit:
			return nil, fmt.Errorf("there are more than %d records", limit)
		}
		var row []byte
		if row, b, err = record(b); err != nil {
			return nil, err
		}
		out = append(out, row)
	}
	return out, nil
}

// segment reads how long a segment's row is. What else it says, comments and schemas, is for other readers.
func segment(b []byte) (int, error) {
	if len(b) < segmentSize {
		return 0, errShort
	}
	n := int64(int32(binary.LittleEndian.Uint32(b[headerSize+1:])))
	if b[headerSize]&1 == 0 || n < segmentSize || n > int64(len(b)) {
		return 0, errors.New("a segment's length is wrong")
	}
	return int(n), nil
}

func record(b []byte) (row, rest []byte, err error) {
	if len(b) < recordSize {
		return nil, nil, errShort
	}
	n := int64(int32(binary.LittleEndian.Uint32(b[headerSize:])))
	sum := binary.LittleEndian.Uint32(b[headerSize+4:])
	if b = b[recordSize:]; n < 0 || n > int64(len(b)) {
		return nil, nil, errors.New("a record's length is wrong")
	}
	if row = b[:n:n]; crc32.ChecksumIEEE(row) != sum {
		return nil, nil, errors.New("a record's checksum is wrong")
	}
	return row, b[n:], nil
}

// AppendSegment begins a stream.
func AppendSegment(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(append(b, Version), segmentSchema)
	return binary.LittleEndian.AppendUint32(append(b, 1), segmentSize)
}

// AppendRecord appends a record with a row.
func AppendRecord(b, row []byte) []byte {
	b = binary.LittleEndian.AppendUint32(append(b, Version), recordSchema)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(row)))
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(row))
	return append(b, row...)
}
