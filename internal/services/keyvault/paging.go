package keyvault

import (
	"context"

	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const maxPage = 25

// listing is one page of a collection. NextLink is null on the last.
type listing struct {
	Value    []any   `json:"value"`
	NextLink *string `json:"nextLink"`
}

// item is an entry of a list: an object without its value.
type item struct {
	ID          string            `json:"id,omitempty"`
	KID         string            `json:"kid,omitempty"`
	Attributes  *attributes       `json:"attributes"`
	Tags        map[string]string `json:"tags,omitempty"`
	ContentType string            `json:"contentType,omitempty"`
	Managed     bool              `json:"managed,omitempty"`
	Thumbprint  string            `json:"x5t,omitempty"`
	Subject     *string           `json:"subject,omitempty"`
	*recovery
}

// recovery is what a deleted object has besides.
type recovery struct {
	RecoveryID string `json:"recoveryId"`
	Deleted    int64  `json:"deletedDate"`
	Purge      int64  `json:"scheduledPurgeDate"`
}

func (rec *record) recovery(k *kind, base string) *recovery {
	if rec.DeletedAt == 0 {
		return nil
	}
	return &recovery{k.recoveryID(base, rec.Name), rec.DeletedAt, rec.PurgeAt}
}

// list lists the live (tagHead) or deleted objects of a kind, in the order of their keys: stable, but telling nothing.
func (s *Service) list(k *kind, tag byte) handler {
	return func(ctx context.Context, r *wire.Request, v *vault) (any, error) {
		if tag == tagDeleted {
			if err := v.withSoftDelete(); err != nil {
				return nil, err
			}
		}
		return s.page(ctx, r, v, k, nil, []byte{tag, '|', k.tag, '|'}, macSize, false)
	}
}

// listVersions lists the versions of one live object, none if there is no such object.
func (s *Service) listVersions(k *kind) handler {
	return func(ctx context.Context, r *wire.Request, v *vault) (any, error) {
		name := r.Param("name")
		if err := checkName(name); err != nil {
			return nil, err
		}
		mac := s.mac(v, name)
		return s.page(ctx, r, v, k, key(tagHead, k.tag, mac), append(key(tagVersion, k.tag, mac), '|'), 16, true)
	}
}

// page renders one page of records below prefix.
func (s *Service) page(ctx context.Context, r *wire.Request, v *vault, k *kind, guard, prefix []byte, size int, versions bool) (*listing, error) {
	rows, next, err := s.rows(ctx, r, v, guard, prefix, size)
	if err != nil {
		return nil, err
	}
	base := baseURL(r, v)
	out := &listing{Value: make([]any, 0, len(rows)), NextLink: next}
	for _, row := range rows {
		rec, err := s.open(v.shard, row.key, row.value)
		if err != nil {
			return nil, err
		}
		out.Value = append(out.Value, k.item(base, v, rec, versions))
	}
	return out, nil
}

// rows reads one page of rows below prefix, none unless the key guard (nil: none) exists; what follows prefix in a key is size bytes, and is what a skip
// token holds.
func (s *Service) rows(ctx context.Context, r *wire.Request, v *vault, guard, prefix []byte, size int) (rows []sealed, next *string, err error) {
	limit, span, err := pageOf(r, prefix, size)
	if err != nil {
		return nil, nil, err
	}
	more := false
	err = s.deps.Store.View(ctx, v.shard, func(sn store.Snapshot) error {
		rows, more = nil, false
		if guard != nil {
			if there, err := exists(sn, guard); err != nil || !there {
				return err
			}
		}
		return sn.Scan(span, func(key, value []byte) bool {
			if len(rows) == limit {
				more = true
				return false
			}
			rows = append(rows, sealed{clone(key), clone(value)})
			return true
		})
	})
	if err == nil && more {
		link := r.NextLink(rows[len(rows)-1].key[len(prefix):])
		next = &link
	}
	return rows, next, err
}

// item renders a record as a list shows it, with its version or without.
func (k *kind) item(base string, v *vault, rec *record, versioned bool) *item {
	version := ""
	if versioned {
		version = rec.Version
	}
	it := &item{Attributes: rec.attributes(v), Tags: rec.Tags, ContentType: rec.ContentType, Managed: rec.Managed, recovery: rec.recovery(k, base)}
	if k == keys {
		it.KID = k.id(base, rec.Name, version)
	} else {
		it.ID = k.id(base, rec.Name, version)
	}
	if k == certificates {
		it.Thumbprint, it.ContentType = thumbprint(rec.Certificate), ""
	}
	return it
}

// pageOf reads maxresults and $skiptoken.
func pageOf(r *wire.Request, prefix []byte, size int) (limit int, span store.Range, err error) {
	if limit, err = r.QueryInt("maxresults", maxPage, 1, maxPage); err != nil {
		return 0, span, err
	}
	after, err := r.SkipToken()
	if err != nil {
		return 0, span, err
	}
	span = store.Prefix(prefix)
	if after != nil {
		if len(after) != size {
			return 0, span, badParameter("The $skiptoken is not one this vault gave out.")
		}
		span.Start = append(append(clone(prefix), after...), 0)
	}
	return limit, span, nil
}
