package metrics

import (
	"fmt"
	"slices"
	"strings"
)

// Limits of what names a series, as Azure's own for custom metrics; a resource's id is as long as ARM's may be.
const (
	maxDimensions = 10
	maxName       = 256
	maxResource   = 2048
)

// bucketCount is how many shards the series are spread over, by resource.
const bucketCount = 64

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// bucketOf says which bucket a resource's series are in. It is part of the stored form.
func bucketOf(resource string) int {
	h := uint64(14695981039346656037)
	for i := range len(resource) {
		h = (h ^ uint64(lower(resource[i]))) * 1099511628211
	}
	return int((h ^ h>>32) % bucketCount)
}

func bucketShard(i int) string { return fmt.Sprintf("metrics/%02x", i) }

func appendFolded(dst []byte, s string) []byte {
	dst = append(dst, byte(len(s)), byte(len(s)>>8))
	for i := range len(s) {
		dst = append(dst, lower(s[i]))
	}
	return dst
}

// appendKey appends what tells a series from all others. Dimensions are taken in order of their folded names.
func (s *Series) appendKey(dst []byte) []byte {
	dst = appendFolded(dst, s.Resource)
	dst = appendFolded(dst, s.Namespace)
	dst = appendFolded(dst, s.Name)
	if len(s.Dimensions) == 0 {
		return dst
	}
	dims := s.Dimensions
	if !slices.IsSortedFunc(dims, compareDimensions) {
		dims = slices.SortedFunc(slices.Values(dims), compareDimensions)
	}
	for _, d := range dims {
		dst = appendFolded(dst, d.Name)
		dst = append(dst, byte(len(d.Value)), byte(len(d.Value)>>8))
		dst = append(dst, d.Value...)
	}
	return dst
}

// compareDimensions orders dimensions by their folded names.
func compareDimensions(a, b Dimension) int {
	for i := range min(len(a.Name), len(b.Name)) {
		if x, y := lower(a.Name[i]), lower(b.Name[i]); x != y {
			return int(x) - int(y)
		}
	}
	return len(a.Name) - len(b.Name)
}

// valid tells what is wrong with a series' names, "" if nothing is.
func (s *Series) valid() string {
	switch {
	case !strings.HasPrefix(s.Resource, "/") || len(s.Resource) > maxResource:
		return fmt.Sprintf("its resource is no resource id of at most %d bytes", maxResource)
	case s.Name == "" || len(s.Name) > maxName:
		return fmt.Sprintf("the metric's name is empty or longer than %d bytes", maxName)
	case s.Namespace == "" || len(s.Namespace) > maxName:
		return fmt.Sprintf("its namespace is empty or longer than %d bytes", maxName)
	case len(s.Dimensions) > maxDimensions:
		return fmt.Sprintf("it has %d dimensions, more than %d", len(s.Dimensions), maxDimensions)
	}
	for i, d := range s.Dimensions {
		if d.Name == "" || len(d.Name) > maxName || d.Value == "" || len(d.Value) > maxName {
			return fmt.Sprintf("the name or value of its dimension %d is empty or longer than %d bytes", i+1, maxName)
		}
		for _, e := range s.Dimensions[:i] {
			if strings.EqualFold(e.Name, d.Name) {
				return "it has the dimension " + d.Name + " twice"
			}
		}
	}
	return ""
}

// String names the series in errors.
func (s *Series) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s of %s in %s", s.Name, s.Resource, s.Namespace)
	for _, d := range s.Dimensions {
		fmt.Fprintf(&b, ", %s=%s", d.Name, d.Value)
	}
	if out := b.String(); len(out) <= 400 {
		return out
	}
	return strings.ToValidUTF8(b.String()[:400], "") + "..."
}
