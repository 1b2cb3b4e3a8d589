package wire

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplitKeys(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"v1.0|applications":                           "v1.0|applications",
		"v1.0|applications(appId='x')":                "v1.0|applications|(appId='x')",
		"v1.0|applications(appId='x')|owners|$ref":    "v1.0|applications|(appId='x')|owners|$ref",
		"v1.0|users('a')|memberOf(b)":                 "v1.0|users|('a')|memberOf|(b)",
		"v1.0|users|(x)":                              "v1.0|users|(x)",
		"v1.0|users(":                                 "v1.0|users(",
		"v1.0|users|a)b(c)":                           "v1.0|users|a)b|(c)",
		"v1.0|groups|x|members|microsoft.graph.delta": "v1.0|groups|x|members|microsoft.graph.delta",
	} {
		if diff := cmp.Diff(want, strings.Join(splitKeys(strings.Split(path, "|")), "|")); diff != "" {
			t.Errorf("%s: -want +got\n%s", path, diff)
		}
	}
}
