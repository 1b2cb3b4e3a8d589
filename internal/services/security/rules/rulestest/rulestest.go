// Package rulestest makes many Sigma rules of some, to measure what many cost.
package rulestest

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
	"testing/fstest"
)

// Many gives folders of n rules: those of dir (*.yml), of processes, files, connections, audit records and logs, and copies of them in which the words are other ones.
func Many(dir fs.FS, n int) (fs.FS, error) {
	out := fstest.MapFS{}
	names, err := fs.Glob(dir, "*.yml")
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no rules: %w", fs.ErrNotExist)
	}
	for i := range n {
		name := names[i%len(names)]
		text, err := fs.ReadFile(dir, name)
		if err != nil {
			return nil, err
		}
		if copies := i / len(names); copies > 0 {
			text = []byte(vary(string(text), copies))
		}
		out[path.Join(fmt.Sprint(i/len(names)), name)] = &fstest.MapFile{Data: text}
	}
	return out, nil
}

// vary makes another rule of one: other ids, and in the detection other letters behind the first of each value's words.
func vary(text string, n int) string {
	var b strings.Builder
	inside := false
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "id:"):
			line = strings.TrimRight(line, "\n") + fmt.Sprint("-", n, "\n")
		case strings.HasPrefix(line, "name:"):
			continue
		case strings.HasPrefix(line, "detection:"):
			inside = true
		case line[0] != ' ' && line[0] != '\n' && line[0] != '#':
			inside = false
		}
		if i := strings.LastIndexAny(line, "-:"); inside && !strings.Contains(line, "condition") && !strings.Contains(line, "|re") && !strings.Contains(line, "cidr") && !strings.Contains(line, "type:") && i >= 0 && strings.Count(line, ": ")+strings.Count(line, "- ") == 1 {
			at := strings.Index(line, ": ") + strings.Index(line, "- ") + 3
			value := []byte(line[at:])
			for j := 1; j+1 < len(value); j++ {
				if value[j] >= 'a' && value[j] <= 'z' && value[j-1] >= 'a' && value[j-1] <= 'z' {
					value[j] = 'a' + (value[j]-'a'+byte(n*7+j*3))%26
				}
			}
			line = line[:at] + string(value)
		}
		b.WriteString(line)
	}
	return b.String()
}
