package posture

import (
	"cmp"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
)

// pageSize is how many of what is judged one answer lists.
const pageSize = 500

// item is one of a list that is made in full only if it is on the page.
type item struct {
	id   string
	make func() (*arm.Resource, error)
}

// paged answers the page that a call asks for: the list in the order of the ids, from the one in the call's skip token on. What comes or goes meanwhile moves no other.
func paged(c *arm.Call, all []item) ([]*arm.Resource, error) {
	from, err := c.SkipToken()
	if err != nil {
		return nil, err
	}
	top, err := c.QueryInt("$top", pageSize, 1, pageSize)
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i].id = strings.ToLower(all[i].id)
	}
	slices.SortFunc(all, func(a, b item) int { return strings.Compare(a.id, b.id) })
	at, _ := slices.BinarySearchFunc(all, string(from), func(x item, id string) int { return cmp.Compare(x.id, id) })
	all = all[at:]
	if len(all) > top {
		c.Next = []byte(all[top].id)
		all = all[:top]
	}
	out := make([]*arm.Resource, len(all))
	for i := range all {
		if out[i], err = all[i].make(); err != nil {
			return nil, err
		}
	}
	return out, nil
}
