package mysql

import (
	"bytes"
	"errors"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ticks is the unit of CPU times in /proc, which is the same on every Linux Go runs on.
const ticks = 100

// processUsage reads what a process has used: CPU time since its start, and resident memory in bytes.
func processUsage(pid int) (cpu time.Duration, memory int64, err error) {
	dir := "/proc/" + strconv.Itoa(pid)
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return 0, 0, err
	}
	if cpu, err = parseStat(stat); err != nil {
		return 0, 0, err
	}
	statm, err := os.ReadFile(dir + "/statm")
	if err != nil {
		return 0, 0, err
	}
	fields := strings.Fields(string(statm))
	if len(fields) < 2 {
		return 0, 0, errors.New("statm is too short")
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return cpu, pages * int64(os.Getpagesize()), err
}

// parseStat takes the CPU time, utime and stime, out of /proc/PID/stat. The name in it may hold anything, so what counts is behind its last bracket.
func parseStat(b []byte) (time.Duration, error) {
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 13 {
		return 0, errors.New("stat is too short")
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * time.Second / ticks, err
}

// machineMemory is the machine's memory in bytes, 0 if nobody knows.
func machineMemory() int64 {
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) != nil {
		return 0
	}
	return int64(info.Totalram) * int64(info.Unit) //nolint:unconvert // 32 bits on some machines
}

func processors() int { return runtime.NumCPU() }
