package sigma

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// parseDocument adds one document to out. m is filled as far as it was read, so that a problem can name the rule.
func parseDocument(n *yaml.Node, m *Meta, o Options, out *Collection) error {
	top, err := pairs(n, "the document")
	if err != nil {
		return err
	}
	sections := map[string]pair{}
	// What names the rule first, whatever the order of the keys.
	for _, p := range top {
		if p.key == "id" || p.key == "title" || p.key == "name" {
			if err := m.set(p); err != nil {
				return err
			}
		}
	}
	for _, p := range top {
		switch p.key {
		case "logsource", "detection", "correlation", "filter":
			sections[p.key] = p
		case "action":
			return errAt(p.at, "documents with \"action\" (Sigma 1 collections) are not supported")
		case "taxonomy":
			if p.value.Value != "sigma" {
				return errAt(p.value, "taxonomy %q is not supported; only sigma", p.value.Value)
			}
		default:
			if err := m.set(p); err != nil {
				return err
			}
		}
	}
	if m.Title == "" {
		return errAt(n, "title is missing")
	}
	if m.Status == "unsupported" {
		return errAt(n, "its status is unsupported")
	}
	return m.section(n, sections, o, out)
}

func (m *Meta) section(n *yaml.Node, sections map[string]pair, o Options, out *Collection) error {
	c, isCorrelation := sections["correlation"]
	f, isFilter := sections["filter"]
	d, isRule := sections["detection"]
	switch {
	case isCorrelation && !isFilter && !isRule:
		cor, err := parseCorrelation(c.value, *m)
		if err == nil {
			out.Correlations = append(out.Correlations, cor)
		}
		return err
	case isFilter && !isCorrelation && !isRule:
		source, err := parseLogSource(n, sections)
		if err != nil {
			return err
		}
		fil, err := parseFilter(f.value, *m, o)
		if err == nil {
			fil.LogSource = source
			out.Filters = append(out.Filters, fil)
		}
		return err
	case isRule && !isFilter && !isCorrelation:
		source, err := parseLogSource(n, sections)
		if err != nil {
			return err
		}
		body, err := parseDetection(d.value, "detection", o)
		if err == nil {
			out.Rules = append(out.Rules, &Rule{Meta: *m, LogSource: source, detection: body})
		}
		return err
	}
	return errAt(n, "want exactly one of detection, correlation and filter")
}

// set takes one key of the document. Keys that the specification doesn't know are the author's own and are passed over.
func (m *Meta) set(p pair) (err error) {
	for key, to := range map[string]*string{
		"title": &m.Title, "id": &m.ID, "name": &m.Name, "status": &m.Status, "description": &m.Description, "author": &m.Author,
		"license": &m.License, "date": &m.Date, "modified": &m.Modified,
	} {
		if p.key == key {
			*to, err = text(p.value, key)
			return err
		}
	}
	for key, to := range map[string]*[]string{
		"tags": &m.Tags, "references": &m.References, "falsepositives": &m.FalsePositives, "fields": &m.Fields,
	} {
		if p.key == key {
			*to, err = texts(p.value, key)
			return err
		}
	}
	if p.key != "level" {
		return nil
	}
	name, err := text(p.value, "level")
	if err != nil || name == "" {
		return err
	}
	i := slices.Index(levelNames[:], strings.ToLower(name))
	if i < 0 {
		return errAt(p.value, "level %q; want one of%s", name, strings.Join(levelNames[:], " "))
	}
	m.Level = Level(i)
	return nil
}

func parseLogSource(n *yaml.Node, sections map[string]pair) (LogSource, error) {
	var l LogSource
	s, ok := sections["logsource"]
	if !ok {
		return l, errAt(n, "logsource is missing")
	}
	parts, err := pairs(s.value, "logsource")
	if err != nil {
		return l, err
	}
	for _, p := range parts {
		for key, to := range map[string]*string{"category": &l.Category, "product": &l.Product, "service": &l.Service} {
			if p.key != key {
				continue
			}
			if *to, err = text(p.value, key); err != nil {
				return l, err
			}
		}
	}
	if l == (LogSource{}) {
		return l, errAt(s.at, "logsource names no category, product or service")
	}
	return l, nil
}

func parseFilter(n *yaml.Node, m Meta, o Options) (*Filter, error) {
	f := &Filter{Meta: m, Any: true}
	parts, err := pairs(n, "filter")
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		if p.key != "rules" {
			continue
		}
		if f.Rules, err = texts(p.value, "rules"); err != nil {
			return nil, err
		}
		isAny := p.value.Kind == yaml.ScalarNode && strings.EqualFold(p.value.Value, "any")
		if f.Any = isAny || len(f.Rules) == 0; f.Any {
			f.Rules = nil
		}
	}
	f.detection, err = parseDetection(n, "filter", o)
	return f, err
}
