package shell

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/bulkheadhq/bulkhead/internal/honeypot/memfs"
)

// redirect gives a command the files that it names. false: one of them can't be had, which was told.
func (s *Shell) redirect(list []*syntax.Redirect, in streams) (streams, bool) {
	for _, r := range list {
		fd := ""
		if r.N != nil {
			fd = r.N.Value
		}
		var err error
		if r.Op == syntax.Hdoc || r.Op == syntax.DashHdoc {
			err = s.document(r, &in)
		} else {
			var target string
			if target, err = s.literal(in, r.Word); err == nil {
				err = s.open(r.Op, fd, target, &in)
			}
		}
		if err != nil {
			s.complain(err, in)
			return in, false
		}
	}
	return in, true
}

func (s *Shell) document(r *syntax.Redirect, in *streams) error {
	if r.Hdoc == nil {
		in.in = strings.NewReader("")
		return nil
	}
	body, err := s.literal(*in, &syntax.Word{Parts: []syntax.WordPart{&syntax.DblQuoted{Parts: r.Hdoc.Parts}}})
	if err != nil {
		return err
	}
	if r.Op == syntax.DashHdoc {
		lines := strings.Split(body, "\n")
		for i := range lines {
			lines[i] = strings.TrimLeft(lines[i], "\t")
		}
		body = strings.Join(lines, "\n")
	}
	in.in = strings.NewReader(body)
	return nil
}

func (s *Shell) open(op syntax.RedirOperator, fd, target string, in *streams) error {
	switch op {
	case syntax.WordHdoc:
		in.in = strings.NewReader(target + "\n")
		return nil
	case syntax.DplOut, syntax.DplIn:
		return s.duplicate(fd, target, in)
	case syntax.RdrIn, syntax.RdrInOut:
		if host, ok := strings.CutPrefix(target, "/dev/tcp/"); ok {
			return s.dial(host, target)
		}
		if op == syntax.RdrInOut && fd != "" && fd != "0" {
			return nil
		}
		b, err := s.cfg.FS.Read(s.user(), memfs.Abs(s.dir, target), maxPipe)
		if err != nil {
			return fmt.Errorf("%s: %w", target, err)
		}
		if fd == "" || fd == "0" {
			in.in = bytes.NewReader(b)
		}
		return nil
	}
	if host, ok := strings.CutPrefix(target, "/dev/tcp/"); ok {
		return s.dial(host, target)
	}
	w, err := s.writer(target, op == syntax.AppOut || op == syntax.AppAll)
	if err != nil {
		return err
	}
	switch {
	case op == syntax.RdrAll || op == syntax.AppAll:
		in.out, in.err = w, w
	case fd == "2":
		in.err = w
	case fd == "" || fd == "1":
		in.out = w
	}
	return nil
}

// duplicate is 2>&1 and its like.
func (s *Shell) duplicate(fd, target string, in *streams) error {
	switch {
	case target == "1" && fd == "2":
		in.err = in.out
	case target == "2" && (fd == "" || fd == "1"):
		in.out = in.err
	case target == "-":
		if fd == "2" {
			in.err = io.Discard
		} else if fd == "" || fd == "1" {
			in.out = io.Discard
		}
	case fd == "" && !isNumber(target): // >&file
		w, err := s.writer(target, false)
		if err != nil {
			return err
		}
		in.out, in.err = w, w
	}
	return nil
}

// dial is bash's /dev/tcp: recorded, never done.
func (s *Shell) dial(host, target string) error {
	s.cfg.Observer.Noted("connect", strings.Replace(cut(host, 300), "/", ":", 1))
	return fmt.Errorf("connect: Connection refused\n-bash: %s: Connection refused", target)
}

// fileWriter adds what a command prints to a file.
type fileWriter struct {
	s    *Shell
	path string
}

// Write implements io.Writer.
func (w *fileWriter) Write(b []byte) (int, error) {
	if err := w.s.cfg.FS.Write(w.s.user(), w.path, b, true, 0o644); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (s *Shell) writer(target string, more bool) (io.Writer, error) {
	at := memfs.Abs(s.dir, target)
	if err := s.cfg.FS.Write(s.user(), at, nil, more, 0o644); err != nil {
		return nil, fmt.Errorf("%s: %w", target, err)
	}
	return &fileWriter{s, at}, nil
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
