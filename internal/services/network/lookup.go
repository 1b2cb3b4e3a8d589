package network

import (
	"context"
	"net/netip"
	"strings"
	"sync"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/netrule"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// kept holds what was made of resources for as long as they are the same. Which resource there is now the caller has looked up.
type kept[T any] struct {
	make func(r *arm.Resource) (T, error)

	mu     sync.RWMutex
	byGUID map[string]keptOne[T]
}

type keptOne[T any] struct {
	etag  string
	value T
}

const maxKept = 4096

func newKept[T any](fn func(r *arm.Resource) (T, error)) *kept[T] {
	return &kept[T]{make: fn, byGUID: map[string]keptOne[T]{}}
}

func (k *kept[T]) of(r *arm.Resource) (T, error) {
	k.mu.RLock()
	one, ok := k.byGUID[r.GUID]
	k.mu.RUnlock()
	if ok && one.etag == r.ETag {
		return one.value, nil
	}
	v, err := k.make(r)
	if err != nil {
		return v, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.byGUID) >= maxKept {
		clear(k.byGUID)
	}
	k.byGUID[r.GUID] = keptOne[T]{r.ETag, v}
	return v, nil
}

// compiled is a subnet without its group, which may change without the network.
type compiled struct {
	subnet netrule.Subnet
	group  *reference
}

// compileNetwork makes what decides of a stored network: its subnets by folded name.
func compileNetwork(r *arm.Resource) (map[string]*compiled, error) {
	n, err := decode[network](r)
	if err != nil {
		return nil, err
	}
	space, err := prefixesOf(n.AddressSpace.Prefixes)
	if err != nil {
		return nil, err
	}
	out := map[string]*compiled{}
	for i := range n.Subnets {
		sub := &n.Subnets[i]
		x := netrule.Subnet{ID: subnetID(r.ID, sub.Name), GUID: sub.GUID, Network: space}
		if x.Prefixes, err = prefixesOf(sub.Properties.prefixes()); err != nil {
			return nil, err
		}
		for _, e := range sub.Properties.Endpoints {
			x.Services = append(x.Services, strings.ToLower(e.Service))
		}
		out[strings.ToLower(sub.Name)] = &compiled{x, sub.Properties.Group}
	}
	return out, nil
}

func prefixesOf(texts []string) (netrule.Prefixes, error) {
	var out netrule.Prefixes
	for _, text := range texts {
		p, err := netrule.ParsePrefix(text)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// Subnet is the present state of a subnet, with its security group; nil if there is none of that id. It is a netrule.Lookup.
func (s *Service) Subnet(ctx context.Context, id string) (*netrule.Subnet, error) {
	parsed, err := arm.ParseID(id)
	if err != nil || parsed.Collection() || !strings.EqualFold(parsed.Type(), subnetTypeName) {
		return nil, nil // what a resource's rule names was checked when it was stored
	}
	r, _, err := s.deps.Resources.Resource(ctx, parsed.Parent().String())
	if err != nil || r == nil {
		return nil, err
	}
	subnets, err := s.networks.of(r)
	if err != nil {
		return nil, err
	}
	found := subnets[strings.ToLower(parsed.Name())]
	if found == nil {
		return nil, nil
	}
	if found.group == nil {
		return &found.subnet, nil
	}
	out := found.subnet
	out.Group, err = s.group(ctx, found.group)
	return &out, err
}

// maxSearched bounds the networks that Inside looks at.
const maxSearched = 64

// Inside tells whether an address is in a subnet of the subscription that has the service's endpoint. Nobody is admitted by that: it tells by which way a refused client
// came.
func (s *Service) Inside(ctx context.Context, subscription, service string, client netip.Addr) (bool, error) {
	ids, err := s.listed.Get(ctx, shardOf(subscription), "")
	if err != nil {
		return false, err
	}
	for _, id := range ids[:min(len(ids), maxSearched)] {
		r, _, err := s.deps.Resources.Resource(ctx, id)
		if err != nil {
			return false, err
		}
		if r == nil {
			continue
		}
		subnets, err := s.networks.of(r)
		if err != nil {
			return false, err
		}
		for _, x := range subnets {
			if x.subnet.Reaches(service) && x.subnet.Prefixes.Contains(client) {
				return true, nil
			}
		}
	}
	return false, nil
}

// loadListed reads the ids of a subscription's networks.
func loadListed(sn store.Snapshot, _ string) ([]string, error) {
	var out []string
	err := sn.Scan(store.Prefix([]byte(listedPrefix)), func(_, v []byte) bool {
		out = append(out, strings.TrimPrefix(string(v), networkMark))
		return true
	})
	return out, err
}

// group is the security group a reference means. While it is not there, as amid the deletion of its resource group, it denies everything.
func (s *Service) group(ctx context.Context, ref *reference) (*netrule.Group, error) {
	r, _, err := s.deps.Resources.Resource(ctx, ref.ID)
	if err != nil {
		return nil, err
	}
	if r == nil || r.GUID != ref.GUID {
		return &netrule.Group{}, nil
	}
	return s.groups.of(r)
}
