package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/backup"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Report is what verifying found.
type Report struct {
	backup.Summary
	Sealed   uint64            `json:"sealed"` // records that opened with the master key
	Kinds    map[string]uint64 `json:"kinds"`  // records by shard family, kind and version: "sub r1"
	Problems []string          `json:"problems,omitempty"`
	More     uint64            `json:"moreProblems,omitempty"` // than are listed
}

// maxProblems are listed, the rest is counted.
const maxProblems = 100

// form is what a record's first bytes say.
type form struct {
	name    string
	kind    string
	version int
}

const sealVersion, sealLeast = 1, 1 + 8 + 12 + 16

// formOf tells the forms apart: package seal's begin with its version, package store's with a letter and a small number, the rest is plain text or a number.
//
// Documents and audit records are never sealed one by one, and some of them begin with any byte.
func formOf(shard string, v []byte) form {
	own := strings.HasPrefix(shard, "range/") || strings.HasPrefix(shard, "audit/")
	switch {
	case len(v) >= sealLeast && v[0] == sealVersion && !own:
		return form{name: "sealed"}
	case len(v) >= 2 && (v[0] >= 'A' && v[0] <= 'Z' || v[0] >= 'a' && v[0] <= 'z') && v[1] < ' ':
		f := form{name: "binary", kind: string(v[:1]), version: int(v[1])}
		if json.Valid(v[2:]) {
			f.name = "json"
		}
		return f
	}
	return form{name: "plain"}
}

// jsonFamilies are shards whose records are package store's: a body that begins as JSON is JSON. Others have forms of their own.
const jsonFamilies = "platform names tenant sub "

// checker looks at everything a store or a backup holds. It is a backup.Sink.
type checker struct {
	Report
	open    backup.Opener
	shard   string
	blobs   map[string]string // hash -> the record that needs it
	present map[string]bool
}

func newChecker(o backup.Opener) *checker {
	return &checker{open: o, blobs: map[string]string{}, present: map[string]bool{}, Report: Report{Kinds: map[string]uint64{}}}
}

func (c *checker) problem(text string, args ...any) {
	if len(c.Problems) >= maxProblems {
		c.More++
		return
	}
	c.Problems = append(c.Problems, fmt.Sprintf(text, args...))
}

// Shard implements store.Content.
func (c *checker) Shard(name string, lsn store.LSN) error {
	c.Shards++
	if c.shard = name; lsn == 0 {
		c.problem("shard %s has LSN 0", name)
	}
	return nil
}

// Record implements store.Content.
func (c *checker) Record(key, value []byte) error {
	c.Records++
	c.Bytes += uint64(len(key) + len(value))
	f := formOf(c.shard, value)
	if f.name == "sealed" {
		if _, err := c.open.Open(c.shard, key, value); err != nil {
			c.problem("shard %s, record %s: %v", c.shard, readable(key), err)
			return nil
		}
		c.Sealed++
		return nil
	}
	if f.kind != "" {
		family, _, _ := strings.Cut(c.shard, "/")
		if f.version == 0 || f.name == "binary" && strings.Contains(jsonFamilies, family+" ") && len(value) > 2 && value[2] == '{' {
			c.problem("shard %s, record %s: kind %s version %d does not decode", c.shard, readable(key), f.kind, f.version)
		}
		c.Kinds[family+" "+f.kind+strconv.Itoa(f.version)]++
	}
	if bytes.HasPrefix(key, []byte("s|web|")) && bytes.HasSuffix(key, []byte("|package")) {
		c.wantPackage(key, value)
	}
	return nil
}

// wantPackage remembers which package a site needs.
func (c *checker) wantPackage(key, value []byte) {
	var d struct {
		Hash string `json:"hash"`
	}
	if len(value) > 2 && json.Unmarshal(value[2:], &d) == nil && d.Hash != "" {
		c.blobs[d.Hash] = "shard " + c.shard + ", record " + readable(key)
	}
}

// File implements backup.Sink: a package's name is its digest.
func (c *checker) File(at string, _ fs.FileMode, r io.Reader) error {
	c.Files++
	sum := sha256.New()
	n, err := io.Copy(sum, r)
	if err != nil {
		return err
	}
	c.Bytes += uint64(n)
	if hash := path.Base(at); strings.HasPrefix(at, folderBlobs+"/") && len(hash) == 2*sha256.Size {
		c.present[hash] = true
		if hex.EncodeToString(sum.Sum(nil)) != hash {
			c.problem("file %s is damaged: its digest is not its name", at)
		}
	}
	return nil
}

// end returns the report, once everything was looked at.
func (c *checker) end() Report {
	for hash, by := range c.blobs {
		if !c.present[hash] {
			c.problem("%s needs the package %s, which is not there", by, hash)
		}
	}
	return c.Report
}

// Verify reads everything there is and checks it, while everything goes on.
func (p *Platform) Verify(ctx context.Context) (Report, error) {
	c := newChecker(p.sealer)
	if err := p.store.Check(ctx); err != nil {
		c.problem("%v", err)
	}
	if err := p.store.Export(ctx, c); err != nil {
		c.problem("%v", err)
	}
	err := fs.WalkDir(os.DirFS(p.cfg.Data), folderBlobs, func(at string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return ctx.Err() // a folder that is not there has nothing wrong
		}
		f, err := os.Open(p.cfg.path(at))
		if err != nil {
			c.problem("file %s: %v", at, err)
			return nil
		}
		defer f.Close()
		return c.File(at, 0, f)
	})
	return c.end(), err
}

// VerifyBackup reads a whole backup and checks it. key says where its master key is, as for Restore; "": in the backup, or else in the data folder named.
func VerifyBackup(r io.Reader, key, data string) (Report, backup.Header, error) {
	b, err := backup.NewReader(r)
	if err != nil {
		return Report{}, backup.Header{}, err
	}
	if key == "" && len(b.Header.MasterKey) == 0 {
		key = (&Config{Data: data}).path(masterKeyFile)
	}
	m, err := masterOf(b.Header, key)
	if err != nil {
		return Report{}, b.Header, err
	}
	sealer, err := ringSealer(b.Header, m)
	if err != nil {
		return Report{}, b.Header, err
	}
	c := newChecker(sealer)
	sum, err := b.Read(sealer, c)
	if err != nil {
		return Report{}, b.Header, err
	}
	c.Summary = sum
	return c.end(), b.Header, nil
}
