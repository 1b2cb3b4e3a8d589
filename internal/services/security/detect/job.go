package detect

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/bulkheadhq/bulkhead/agent/shingle"
)

// Job is what a recurring job of the machine did: something that cron, or a timer of systemd, started, and that is the same each time.
type Job struct {
	Shape  string `json:"shape"`            // what was done, and by which programs above it, in hexadecimal: equal where all of it is
	Script string `json:"script"`           // the job's file, or its line in cron's list
	SHA256 string `json:"sha256,omitempty"` // of the file; "" for a line
}

// jobMillis is how long after its start what a job does is still its doing: what systemd starts may be a service that runs for months, and serves whoever comes.
const jobMillis = 60 * 60 * 1000

// JobOf is the job that a finding is about, nil if none is known for sure. It must be known what every program was, from the scheduler down to the one that acted: one of the system's, or one
// whose hash the agent told. There is no job where somebody could have typed, where a program reads what to do, runs from where everybody may write, or was put there lately.
func JobOf(f *Finding) *Job {
	p := f.Process
	if p == nil || p.Session == nil {
		return nil
	}
	sum := sha256.New()
	add := func(parts ...string) {
		for _, part := range parts {
			sum.Write([]byte(part))
			sum.Write([]byte{0})
		}
	}
	add(f.Alert.Type, f.Rule)
	job := &Job{}
	for n := 0; ; n++ {
		if n == maxAncestors || p.TTY || p.Put || entrance(p) || bareShell(p) || tempDir(p.File) || p.File == "" {
			return nil
		}
		if !trusted(p.File) && p.Hash == "" || strings.HasPrefix(p.File, "/opt/") && p.Hash == "" {
			return nil
		}
		text, given := codeOf(p)
		if given && p.Hash == "" && !systemFolder(p.Script) {
			return nil
		}
		args := strings.Fields(p.Line)
		add(p.File, p.Hash, text, shingle.Normal(args[:min(len(args), 24)]), hosts(p.Line))
		switch {
		case p.Hash != "":
			job.Script, job.SHA256 = p.Script, hex.EncodeToString([]byte(p.Hash))
		case text != "" && job.SHA256 == "":
			job.Script = text[:min(len(text), 200)]
		}
		above := leader(p)
		if scheduled := above == nil && p.Session.Scheduled || above != nil && scheduler(above); scheduled {
			if job.Script == "" || f.Millis-p.Millis > jobMillis || p.Millis > f.Millis {
				return nil
			}
			job.Shape = hex.EncodeToString(sum.Sum(nil)[:16])
			return job
		}
		if p = above; p == nil {
			return nil
		}
	}
}

// codeOf is the text that an interpreter was given; given is whether it runs a file or what it reads instead.
func codeOf(p *Process) (text string, given bool) {
	switch wrapperOf(base(p.File)) {
	case wrapsShell, wrapsPerl, wrapsPython:
	default:
		return "", false
	}
	args := strings.Fields(p.Line)
	for i, a := range args[min(1, len(args)):] {
		if a == "-c" || a == "-e" || a == "-m" {
			return strings.Join(args[i+2:], " "), false
		}
	}
	return "", true
}

// hosts are the words of a command line that say where something goes, which shingles leave out: a job that sends elsewhere is another.
func hosts(line string) string {
	var b strings.Builder
	for w := range strings.FieldsSeq(line) {
		if at := strings.Index(w, "://"); at >= 0 {
			rest := w[at+3:]
			if end := strings.IndexAny(rest, "/?#"); end >= 0 {
				rest = rest[:end]
			}
			b.WriteString(w[:at] + "://" + rest + " ")
		} else if strings.Contains(w, "@") || strings.Contains(w, ":") || strings.Count(w, ".") == 3 {
			b.WriteString(w + " ")
		}
	}
	return b.String()
}

// systemFolder reports whether only packages put files there.
func systemFolder(file string) bool {
	return trusted(file) && !strings.HasPrefix(file, "/usr/local/") && !strings.HasPrefix(file, "/opt/")
}

// scheduler reports whether a program starts others at times that were set. Not at: what it starts is started once.
func scheduler(p *Process) bool {
	if !systemFolder(p.File) {
		return false
	}
	switch base(p.File) {
	case "cron", "crond", "CRON", "anacron", "systemd", "systemd-executor", "fcron":
		return true
	}
	return false
}

// hashed notes what file a program's hash is of, and whether it was put there lately.
func (s *step) hashed() {
	sum := s.event.Command.SHA256
	if len(sum) != sha256.Size {
		return
	}
	p := s.process
	p.Hash = string(sum)
	if p.Script = s.program(); p.Script == "" {
		p.Script = p.File
	}
	if n, ok := s.m.files.Peek(p.Script); ok && (n.fetched != 0 || n.made != 0 || n.typed != 0 || n.copied != 0 || n.attack != 0) {
		p.Put = true
	}
}
