// Command intrusion writes the logs of a machine that was broken into as the post of 24 November 2018 tells it: audit.log and auth.log in a folder. Nothing is run.
//
//	go run ./examples/intrusion -dir intrusion && bulkhead scan intrusion/audit.log
//
// Flags disguise the attacker: other names for the tools, commands in base64, arguments longer than an audit record, other programs that start them, other networks.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/replay"
)

func main() {
	dir := flag.String("dir", "intrusion", "the folder to write to")
	var d replay.Disguise
	flag.BoolVar(&d.Rename, "rename", false, "give the attacker's tools names by chance")
	flag.BoolVar(&d.Wrap, "wrap", false, "start commands by eval of base64")
	flag.BoolVar(&d.Pad, "pad", false, "add an argument that is longer than an audit record")
	flag.StringVar(&d.Through, "through", "", "start the system's commands through busybox, perl or python")
	flag.BoolVar(&d.Other, "other", false, "attack other networks and ports, with other numbers")
	flag.Uint64Var(&d.Seed, "seed", 1, "what chance begins with")
	flag.Parse()
	if err := write(*dir, d); err != nil {
		fmt.Fprintln(os.Stderr, "intrusion:", err)
		os.Exit(1)
	}
}

func write(dir string, d replay.Disguise) error {
	log := &replay.Log{Now: time.Date(2018, 11, 20, 1, 0, 0, 0, time.UTC), Host: "cassandra1"}
	steps := replay.Intrusion(log, d)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, text := range map[string]string{"audit.log": log.Audit(), "auth.log": log.Auth()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	for _, s := range steps {
		fmt.Printf("%s  %2d %s\n", s.At.Format(time.RFC3339), s.Row, s.Name)
	}
	return nil
}
