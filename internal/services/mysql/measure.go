package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/metrics"
	"github.com/bulkheadhq/bulkhead/internal/services/mysql/gate"
)

// reading is one look at a server: what can't be known is absent. Without counters the server didn't answer.
type reading struct {
	at       time.Time
	pid      int
	counters map[string]float64 // SHOW GLOBAL STATUS
	cpu      time.Duration      // of the process since its start
	hasCPU   bool
	failures map[gate.Reason]uint64 // of the gate since the platform's start; nil: none stands before the server

	memory        int64 // resident; 0: unknown
	storage, logs int64 // bytes of files; storage -1: unknown
	disk          int64 // bytes left on the disk; -1: unknown
	limits        Limits
	connections   int // the limit
	processors    int // of the machine
	behind        *float64

	ahead struct{ denied, probes float64 } // counted by the server, and not yet among its aborted connections
}

// counterNames are the rows of SHOW GLOBAL STATUS that are needed.
func counterNames() []string {
	return []string{
		"Threads_connected", "Uptime", "Aborted_connects", "Aborted_connects_preauth", "Access_denied_errors", "Connection_errors_max_connections",
		"Innodb_data_reads", "Innodb_data_writes", "Innodb_log_writes", "Bytes_received", "Bytes_sent",
	}
}

// readCounters asks a server for its counters and waits that long. One that a server doesn't have is absent.
func readCounters(ctx context.Context, db *sql.DB, patience time.Duration) (map[string]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	rows, err := db.QueryContext(ctx, "SHOW GLOBAL STATUS WHERE Variable_name IN ('"+strings.Join(counterNames(), "','")+"')")
	if err != nil {
		return nil, fmt.Errorf("read status: %w", err)
	}
	defer rows.Close()
	out := map[string]float64{}
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return nil, fmt.Errorf("read status: %w", err)
		}
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			out[name] = v
		}
	}
	return out, rows.Err()
}

// The metrics. All but those marked are Azure's.
const (
	metricCPU          = "cpu_percent"
	metricMemory       = "memory_percent"
	metricIO           = "io_consumption_percent"
	metricStorage      = "storage_percent"
	metricStorageUsed  = "storage_used"
	metricStorageLimit = "storage_limit"
	metricLog          = "serverlog_storage_percent"
	metricLogUsed      = "serverlog_storage_usage"
	metricLogLimit     = "serverlog_storage_limit"
	metricActive       = "active_connections"
	metricActiveShare  = "active_connections_percent" // Bulkhead's own: of the SKU's limit, so that a rule follows the SKU
	metricFailed       = "connections_failed"         // with the dimension Reason, Bulkhead's own
	metricBehind       = "seconds_behind_master"
	metricOut          = "network_bytes_egress"
	metricIn           = "network_bytes_ingress"
	metricAlive        = "is_db_alive" // that of Azure's flexible PostgreSQL servers: 1 while the server answers, else 0

	dimensionReason = "Reason"
)

// Definitions are the metrics of the servers.
func Definitions() []metrics.Definition {
	all := []metrics.Aggregation{metrics.Average, metrics.Minimum, metrics.Maximum, metrics.Total, metrics.Count}
	def := func(name, display, unit string, primary metrics.Aggregation, about string, dims ...string) metrics.Definition {
		return metrics.Definition{Name: name, DisplayName: display, Unit: unit, Primary: primary, Description: about, Aggregations: all, Dimensions: dims}
	}
	return []metrics.Definition{
		def(metricCPU, "CPU percent", "Percent", metrics.Average, "CPU percent"),
		def(metricMemory, "Memory percent", "Percent", metrics.Average, "Memory percent"),
		def(metricIO, "IO percent", "Percent", metrics.Average, "IO percent"),
		def(metricStorage, "Storage percent", "Percent", metrics.Average, "Storage percent"),
		def(metricStorageUsed, "Storage used", "Bytes", metrics.Average, "Storage used"),
		def(metricStorageLimit, "Storage limit", "Bytes", metrics.Maximum, "Storage limit"),
		def(metricLog, "Server Log storage percent", "Percent", metrics.Average, "Server Log storage percent"),
		def(metricLogUsed, "Server Log storage used", "Bytes", metrics.Average, "Server Log storage used"),
		def(metricLogLimit, "Server Log storage limit", "Bytes", metrics.Average, "Server Log storage limit"),
		def(metricActive, "Active Connections", "Count", metrics.Average, "Active Connections"),
		def(metricActiveShare, "Active Connections percent", "Percent", metrics.Average, "Active connections in percent of the SKU's limit"),
		def(metricFailed, "Failed Connections", "Count", metrics.Total, "Failed Connections", dimensionReason),
		def(metricBehind, "Replication lag in seconds", "Count", metrics.Maximum, "Replication lag in seconds"),
		def(metricOut, "Network Out", "Bytes", metrics.Total, "Network Out across active connections"),
		def(metricIn, "Network In", "Bytes", metrics.Total, "Network In across active connections"),
		def(metricAlive, "Database Is Alive", "Count", metrics.Minimum, "1 while the server answers, 0 while it does not"),
	}
}

// measurement is a value of a metric.
type measurement struct {
	metric, reason string
	value          float64
}

// restarted tells whether the server's counters began anew between two looks.
func restarted(old, now *reading) bool {
	return old.counters == nil || old.pid != now.pid || now.counters["Uptime"] < old.counters["Uptime"]
}

// measurements works out the metrics of a look at a server and the one before (nil: none).
func measurements(old, now *reading) []measurement {
	var out []measurement
	add := func(metric string, v float64) { out = append(out, measurement{metric: metric, value: v}) }
	add(metricAlive, float64(min(len(now.counters), 1)))
	if active, ok := now.counters["Threads_connected"]; ok {
		active = max(active-1, 0) // our own
		add(metricActive, active)
		if now.connections > 0 {
			add(metricActiveShare, percent(active, float64(now.connections)))
		}
	}
	if now.memory > 0 && now.limits.MemoryBytes > 0 {
		add(metricMemory, percent(float64(now.memory), float64(now.limits.MemoryBytes)))
	}
	if limit := float64(room(int64(now.limits.StorageMB)*mib, now.storage, now.disk)); now.storage >= 0 && limit > 0 {
		add(metricStorageUsed, float64(now.storage))
		add(metricStorageLimit, limit)
		add(metricStorage, percent(float64(now.storage), limit))
	}
	if now.logs >= 0 {
		add(metricLogUsed, float64(now.logs))
		add(metricLogLimit, float64(logLimit))
		add(metricLog, percent(float64(now.logs), float64(logLimit)))
	}
	if now.behind != nil {
		add(metricBehind, *now.behind)
	}
	if now.failures != nil {
		for _, r := range gate.Reasons() {
			n := now.failures[r]
			if old != nil {
				n -= old.failures[r]
			}
			out = append(out, measurement{metricFailed, string(r), float64(n)})
		}
	}
	if old != nil && !restarted(old, now) {
		out = append(out, rates(old, now)...)
	}
	return out
}

// rates works out what needs two looks at the same start of a server.
func rates(old, now *reading) []measurement {
	var out []measurement
	add := func(metric string, v float64) { out = append(out, measurement{metric: metric, value: v}) }
	seconds := now.at.Sub(old.at).Seconds()
	if seconds <= 0 {
		return nil
	}
	grown := func(names ...string) (sum float64, ok bool) {
		for _, n := range names {
			v, there := now.counters[n]
			if !there || v < old.counters[n] {
				return 0, false
			}
			sum += v - old.counters[n]
		}
		return sum, true
	}
	if now.hasCPU && old.hasCPU && now.limits.VCores > 0 {
		cores := min(now.limits.VCores, now.processors) // 100 % is all the machine has, where that is less than the SKU's
		add(metricCPU, percent((now.cpu-old.cpu).Seconds(), seconds*float64(cores)))
	}
	if n, ok := grown("Innodb_data_reads", "Innodb_data_writes", "Innodb_log_writes"); ok && now.limits.IOPS > 0 {
		add(metricIO, percent(n/seconds, float64(now.limits.IOPS)))
	}
	if n, ok := grown("Bytes_received"); ok {
		add(metricIn, n)
	}
	if n, ok := grown("Bytes_sent"); ok {
		add(metricOut, n)
	}
	if now.failures == nil {
		out = append(out, counted(old, now, grown)...)
	}
	return out
}

// counted are the failed connections as the counters of a server without a gate tell them. Aborted_connects counts each once, those refused for the limit too, and bare probes, which
// MariaDB alone tells apart. Connection_errors_max_connections misses most, so that all places are taken tells of the limit as well. A server moves its counters one after the
// other: what one is ahead of the others is kept in now for the next look.
func counted(old, now *reading, grown func(...string) (float64, bool)) []measurement {
	all, ok := grown("Aborted_connects")
	if !ok {
		return nil
	}
	probes, _ := grown("Aborted_connects_preauth")
	denied, known := grown("Access_denied_errors")
	all, now.ahead.probes = over(all, probes+old.ahead.probes)
	if !known {
		return []measurement{{metricFailed, string(gate.Other), all}}
	}
	denied += old.ahead.denied
	var rest, limit float64
	rest, now.ahead.denied = over(all, denied)
	denied = all - rest
	if refused, _ := grown("Connection_errors_max_connections"); refused > 0 || old.full() || now.full() {
		rest, limit = 0, rest
	}
	return []measurement{{metricFailed, string(gate.Password), denied}, {metricFailed, string(gate.Limit), limit}, {metricFailed, string(gate.Other), rest}}
}

// over is what all has beyond part, and what it lacks.
func over(all, part float64) (more, less float64) { return max(all-part, 0), max(part-all, 0) }

// full tells whether all of a server's places were taken.
func (r *reading) full() bool {
	return r.connections > 0 && r.counters["Threads_connected"] >= float64(r.connections)
}

// percent is at most 100. What is all but everything is everything: the clock ticks of a busy CPU never add up to the last thousandth.
func percent(part, whole float64) float64 {
	p := max(part, 0) * 100 / whole
	if p >= 99.5 {
		return 100
	}
	return p
}
