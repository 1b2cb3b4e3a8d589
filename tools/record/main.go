//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/source"
	"github.com/bulkheadhq/bulkhead/agent/source/kernel"
)

func main() {
	out := flag.String("out", "", "the file to write")
	more := flag.Bool("append", false, "add to the file rather than writing it anew")
	auid := flag.Uint("auid", 71001, "the number that the command is signed in as")
	connects := flag.Bool("connects", false, "record connections too")
	files := flag.Bool("files", false, "record changes of watched files, and the rest of the agent's rules, too")
	flag.Parse()
	if *out == "" || flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "usage: record -out FILE [-append] [-auid N] [-connects] [-files] -- COMMAND [ARG...]")
		os.Exit(2)
	}
	id := uint32(*auid)
	code, err := record(*out, *more, kernel.Config{Key: "bulkhead-record-" + strconv.Itoa(os.Getpid()), Scope: kernel.Scope{AUID: &id}, Connects: *connects, ExecOnly: !*files}, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

// record returns the command's exit code.
func record(name string, more bool, c kernel.Config, command []string) (code int, err error) {
	flags := os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	if more {
		flags = os.O_WRONLY | os.O_CREATE | os.O_APPEND
	}
	f, err := os.OpenFile(name, flags, 0o600)
	if err != nil {
		return 0, err
	}
	w := &writer{b: bufio.NewWriterSize(f, 1<<20), key: []byte(c.Key)}
	ready := make(chan struct{})
	src := kernel.New(kernel.Options{
		Config: c, StateFile: filepath.Join(os.TempDir(), c.Key+".json"), Ready: func() { close(ready) },
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- src.Run(ctx, nil, source.NewOut(src.Name(), w)) }()
	select {
	case err := <-done:
		return 0, err
	case <-ready:
	}
	defer os.Remove(filepath.Join(os.TempDir(), c.Key+".json.lock"))
	cmdErr := run(ctx, *c.Scope.AUID, command)
	cancel()
	err = errors.Join(<-done, w.b.Flush(), f.Close())
	fig := src.Figures()
	fmt.Fprintf(os.Stderr, "record: %d programs started, %d events of %d records; lost: %d in the kernel, %d at the socket, %d in memory\n",
		w.execs, fig.Events, fig.Records, fig.Lost[source.InKernel], fig.Lost[source.AtSocket], fig.Lost[source.InBuffer])
	var exit *exec.ExitError
	if errors.As(cmdErr, &exit) {
		return exit.ExitCode(), err
	}
	return 0, errors.Join(err, cmdErr)
}

// run runs a command signed in as auid: a shell takes the number, then becomes the command.
func run(ctx context.Context, auid uint32, command []string) error {
	args := append([]string{"-c", `echo "$0" >/proc/self/loginuid && exec "$@"`, strconv.FormatUint(uint64(auid), 10)}, command...)
	cmd := exec.CommandContext(ctx, "/bin/sh", args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}

// writer writes the records of events as auditd would: of those that our rules asked for. Others' rules are in the kernel too, and the kernel tells everybody everything.
type writer struct {
	b     *bufio.Writer
	key   []byte
	execs int
}

func (w *writer) Event(_ string, e *activity.Event) {
	if e.Source == nil {
		fmt.Fprintf(os.Stderr, "record: %d records lost: %s\n", e.Lost, e.Subject)
		return
	}
	if !bytes.Contains(e.Source.Call.Key, w.key) {
		return
	}
	if e.Kind == activity.Exec && e.Success {
		w.execs++
	}
	for i := range e.Source.Len() {
		r := e.Source.Record(i)
		fmt.Fprintf(w.b, "type=%s msg=audit(%d.%03d:%d): %s\n", r.Type, e.Millis/1000, e.Millis%1000, e.Source.Serial, r.Body)
	}
}

func (w *writer) Mark(string, []byte) error { return nil }
