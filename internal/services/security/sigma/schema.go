package sigma

import (
	"fmt"
	"slices"
	"strings"
)

// Schema says which events there are and which fields they have. It is not changed once it is used.
type Schema struct {
	// Fields are the names rules use, by number: a value of an event is values[number]. A name is found as it is written or, where that is the only
	// candidate, in another case.
	Fields []string

	// Aliases are other names of fields.
	Aliases map[string]int

	// Absent are names that rules have for fields no event has. Tests of them are decided when the rules are compiled: the field isn't there.
	Absent []string

	Sources []Source
}

// Source is one kind of event.
type Source struct {
	LogSource
	Fields  []int // the numbers of the fields its events may have
	Message int   // the number of the field that keywords are looked for in; negative if there is none
}

// Field gives the number of a name.
func (s *Schema) Field(name string) (int, bool) {
	n, err := s.field(name)
	return n, err == nil && n >= 0
}

// absent is the number of a field that no event has.
const absent = -1

func (s *Schema) field(name string) (int, error) {
	if n := slices.Index(s.Fields, name); n >= 0 {
		return n, nil
	}
	if n, ok := s.Aliases[name]; ok {
		return n, nil
	}
	found := absent
	for n, f := range s.Fields {
		if !strings.EqualFold(f, name) {
			continue
		}
		if found >= 0 {
			return 0, fmt.Errorf("field %s may be %s or %s: write it as one of them", name, s.Fields[found], f)
		}
		found = n
	}
	if found >= 0 {
		return found, nil
	}
	for alias, n := range s.Aliases {
		if strings.EqualFold(alias, name) {
			return n, nil
		}
	}
	for _, f := range s.Absent {
		if strings.EqualFold(f, name) {
			return absent, nil
		}
	}
	return 0, fmt.Errorf("no event has a field %s", name)
}

func (s *Schema) check() error {
	if len(s.Fields) > maxFields {
		return fmt.Errorf("the schema has %d fields; at most %d", len(s.Fields), maxFields)
	}
	for _, src := range s.Sources {
		for _, f := range append([]int{src.Message}, src.Fields...) {
			if f >= len(s.Fields) || f < 0 && f != src.Message {
				return fmt.Errorf("source %s has field %d of %d", src.LogSource, f, len(s.Fields))
			}
		}
	}
	return nil
}

const maxFields = 1024
