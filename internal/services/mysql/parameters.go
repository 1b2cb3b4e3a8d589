package mysql

import (
	"strconv"
	"strings"
)

// parameter is one of the server's variables that may be set from outside. All are dynamic: no restart is needed.
type parameter struct {
	name, kind, about string
	def               string // "" of max_connections: the SKU's
	values            []string
	min, max          int64
}

const (
	kindEnum    = "Enumeration"
	kindInteger = "Integer"
	kindSet     = "Set"
)

// parameters are those that may be set, in order of their names.
func parameters() []parameter {
	onOff := []string{"ON", "OFF"}
	return []parameter{
		{name: "character_set_server", kind: kindEnum, about: "Use charset_name as the default server character set.", def: "utf8mb4", values: []string{"utf8mb4", "utf8mb3", "latin1", "ascii", "ucs2", "binary"}},
		{name: "event_scheduler", kind: kindEnum, about: "Indicates the status of the Event Scheduler.", def: "OFF", values: onOff},
		{name: "group_concat_max_len", kind: kindInteger, about: "Maximum allowed result length in bytes for the GROUP_CONCAT().", def: "1024", min: 4, max: 16777216},
		{name: "innodb_lock_wait_timeout", kind: kindInteger, about: "The length of time in seconds an InnoDB transaction waits for a row lock before giving up.", def: "50", min: 1, max: 3600},
		{name: "innodb_print_all_deadlocks", kind: kindEnum, about: "All deadlocks are recorded in the server's error log.", def: "OFF", values: onOff},
		{name: "interactive_timeout", kind: kindInteger, about: "Number of seconds the server waits for activity on an interactive connection before closing it.", def: "1800", min: 10, max: 1800},
		{name: "log_queries_not_using_indexes", kind: kindEnum, about: "Queries that are expected to retrieve all rows go to the slow query log.", def: "OFF", values: onOff},
		{name: "long_query_time", kind: kindInteger, about: "A query that takes longer than this many seconds is slow.", def: "10", min: 1, max: 31536000},
		{name: "max_allowed_packet", kind: kindInteger, about: "The maximum size of one packet or any generated string.", def: "16777216", min: 1024, max: 1073741824},
		{name: "max_connections", kind: kindInteger, about: "The maximum permitted number of simultaneous client connections.", min: 10},
		{name: "net_read_timeout", kind: kindInteger, about: "The number of seconds to wait for more data from a connection before aborting the read.", def: "120", min: 10, max: 3600},
		{name: "net_write_timeout", kind: kindInteger, about: "The number of seconds to wait for a block to be written to a connection before aborting the write.", def: "240", min: 10, max: 3600},
		{name: "slow_query_log", kind: kindEnum, about: "Enable or disable the slow query log.", def: "OFF", values: onOff},
		{
			name: "sql_mode", kind: kindSet, about: "The current server SQL mode.", def: "",
			values: []string{
				"", "ALLOW_INVALID_DATES", "ANSI_QUOTES", "ERROR_FOR_DIVISION_BY_ZERO", "HIGH_NOT_PRECEDENCE", "IGNORE_SPACE", "NO_AUTO_CREATE_USER", "NO_AUTO_VALUE_ON_ZERO",
				"NO_BACKSLASH_ESCAPES", "NO_ENGINE_SUBSTITUTION", "NO_UNSIGNED_SUBTRACTION", "NO_ZERO_DATE", "NO_ZERO_IN_DATE", "ONLY_FULL_GROUP_BY", "PAD_CHAR_TO_FULL_LENGTH",
				"PIPES_AS_CONCAT", "REAL_AS_FLOAT", "STRICT_ALL_TABLES", "STRICT_TRANS_TABLES",
			},
		},
		{name: "transaction_isolation", kind: kindEnum, about: "The default transaction isolation level.", def: "REPEATABLE-READ", values: []string{"READ-UNCOMMITTED", "READ-COMMITTED", "REPEATABLE-READ", "SERIALIZABLE"}},
		{name: "wait_timeout", kind: kindInteger, about: "The number of seconds the server waits for activity on a noninteractive connection before closing it.", def: "180", min: 60, max: 28800},
	}
}

func parameterNamed(name string) (parameter, bool) {
	for _, p := range parameters() {
		if strings.EqualFold(p.name, name) {
			return p, true
		}
	}
	return parameter{}, false
}

// standard is the value without anyone having set it.
func (p parameter) standard(l Limits) string {
	if p.name == "max_connections" {
		return strconv.Itoa(l.Connections)
	}
	return p.def
}

func (p parameter) bounds(l Limits) (lo, hi int64) {
	if p.name == "max_connections" {
		return p.min, int64(l.Connections)
	}
	return p.min, p.max
}

// allowed words what may be set, as Azure does.
func (p parameter) allowed(l Limits) string {
	if p.kind == kindInteger {
		lo, hi := p.bounds(l)
		return strconv.FormatInt(lo, 10) + "-" + strconv.FormatInt(hi, 10)
	}
	return strings.Join(p.values, ",")
}

// accept checks a value and writes it as the server does.
func (p parameter) accept(v string, l Limits) (string, bool) {
	switch p.kind {
	case kindInteger:
		lo, hi := p.bounds(l)
		n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
		return strconv.FormatInt(n, 10), err == nil && n >= lo && n <= hi
	case kindSet:
		var out []string
		for one := range strings.SplitSeq(v, ",") {
			known, ok := p.one(one)
			if !ok {
				return "", false
			}
			out = append(out, known)
		}
		return strings.Join(out, ","), true
	}
	return p.one(v)
}

func (p parameter) one(v string) (string, bool) {
	for _, known := range p.values {
		if strings.EqualFold(known, strings.TrimSpace(v)) {
			return known, true
		}
	}
	return "", false
}

// assignment is the statement that sets the parameter to an accepted value.
func (p parameter) assignment(v string) string {
	name := p.name
	if name == "transaction_isolation" { // MariaDB's name for it
		name = "tx_isolation"
	}
	if p.kind == kindInteger {
		return "SET GLOBAL " + name + " = " + v
	}
	return "SET GLOBAL " + name + " = '" + v + "'" // accepted values have no quotes
}
