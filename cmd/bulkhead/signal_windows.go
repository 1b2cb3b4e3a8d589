package main

import "os"

// Windows has no SIGTERM to pass on.
func terminate(p *os.Process) { _ = p.Kill() }

func exitCode(s *os.ProcessState) int { return s.ExitCode() }
