package mysql

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/services/mysql/gate"
)

// Recommendation is one alert rule that watches a server: the best practice of the post "Best practices for alerting on metrics with Azure Database for MySQL monitoring".
type Recommendation struct {
	Name       string     `json:"name"`       // of the rule
	Properties ruleBody   `json:"properties"` // of a Microsoft.Insights/metricAlerts, without its actions
	Advice     [][]string `json:"advice"`     // name and text: what to check when it fires, with the server's own numbers; sent along as webHookProperties
}

// ruleBody is the part of a metric alert that is the same whoever is told of it.
type ruleBody struct {
	Description  string   `json:"description"`
	Severity     int      `json:"severity"`
	Enabled      bool     `json:"enabled"`
	Scopes       []string `json:"scopes"`
	Frequency    string   `json:"evaluationFrequency"`
	Window       string   `json:"windowSize"`
	AutoMitigate bool     `json:"autoMitigate"`
	TargetType   string   `json:"targetResourceType"`
	Criteria     criteria `json:"criteria"`
}

type criteria struct {
	Type  string      `json:"odata.type"`
	AllOf []criterion `json:"allOf"`
}

type criterion struct {
	Type        string     `json:"criterionType"`
	Name        string     `json:"name"`
	Namespace   string     `json:"metricNamespace"`
	Metric      string     `json:"metricName"`
	Operator    string     `json:"operator"`
	Threshold   float64    `json:"threshold"`
	Aggregation string     `json:"timeAggregation"`
	Dimensions  []struct{} `json:"dimensions"`
}

// concern is one of the post's.
type concern struct {
	suffix, metric, aggregation, window string
	threshold                           float64
	severity                            int
	what                                string // happened
	check                               [][]string
}

// Recommend gives the rules for a server with these limits. A Basic server has no IO rule: its IOPS aren't guaranteed.
func Recommend(resourceID string, l Limits) []Recommendation {
	var out []Recommendation
	for _, c := range concerns(l) {
		var text string
		for _, a := range c.check {
			text += " " + a[1]
		}
		out = append(out, Recommendation{
			Name: nameIn(resourceID) + "-" + c.suffix, Advice: c.check,
			Properties: ruleBody{
				Description: c.what + " Things to check:" + text, Severity: c.severity, Enabled: true, Scopes: []string{resourceID}, Frequency: "PT5M", Window: c.window,
				AutoMitigate: true, TargetType: serverTypeName,
				Criteria: criteria{"Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria", []criterion{{
					"StaticThresholdCriterion", "Metric1", serverTypeName, c.metric, "GreaterThanOrEqual", c.threshold, c.aggregation, []struct{}{},
				}}},
			},
		})
	}
	return out
}

func nameIn(id string) string {
	for i := len(id) - 1; i >= 0; i-- {
		if id[i] == '/' {
			return id[i+1:]
		}
	}
	return id
}

// concerns are the post's six; that of CPU and memory makes four rules.
func concerns(l Limits) []concern {
	limit := strconv.Itoa(l.Connections)
	out := []concern{
		{
			"active-connections", metricActiveShare, "Minimum", "PT30M", 80, 2, "Active connections were at 80 percent of the limit or more for 30 minutes.",
			[][]string{
				{"check1", "Is this expected of the workload? The limit of " + l.SKU + " is " + limit + " connections; 80 percent are " + strconv.Itoa(l.Connections*8/10) + "."},
				{"check2", "If the load is expected, move to a SKU with a higher limit: " + moreConnections(l) + "."},
			},
		},
		{
			"failed-connections", metricFailed, "Total", "PT30M", 10, 2, "10 connections or more failed within 30 minutes.",
			[][]string{
				{"check1", "Are the failures expected? The metric's dimension Reason and the server's logs (az mysql server-logs list) say why: password, tls, limit, host, database."},
				{"check2", "password: check user name and password. tls: connect with the certificate authority of the server's caUrl. limit: " + limit + " connections are allowed. host: add a firewall rule."},
			},
		},
	}
	for _, r := range []struct{ metric, name, short string }{{metricCPU, "CPU", "cpu"}, {metricMemory, "Memory", "memory"}} {
		check := [][]string{
			{"check1", "What do the application's telemetry and logs say of the impact?"},
			{"check2", "How many connections are active, of the limit of " + limit + "? If it is reached, scale up: " + moreConnections(l) + "."},
			{"check3", fmt.Sprintf("%s has %d vCores and %d GB of memory.", l.SKU, l.VCores, l.MemoryBytes>>30)},
		}
		out = append(out,
			concern{r.short + "-100", r.metric, "Minimum", "PT5M", 100, 1, r.name + " was at 100 percent for five minutes.", check},
			concern{r.short + "-95", r.metric, "Minimum", "PT2H", 95, 2, r.name + " was at 95 percent or more for two hours.", check})
	}
	if l.IOPS > 0 {
		out = append(out, concern{
			"io", metricIO, "Minimum", "PT1H", 90, 2, "IO was at 90 percent or more for 60 minutes.",
			[][]string{
				{"check1", fmt.Sprintf("Is this expected of the workload? %d GB of storage give %d IOPS.", l.StorageMB/gigabyte, l.IOPS)},
				{"check2", moreIOPS(l)},
			},
		})
	}
	return append(out, concern{
		"storage", metricStorage, "Average", "PT5M", 80, 2, "Storage is used to 80 percent or more.",
		[][]string{
			{"check1", fmt.Sprintf("The server will soon be out of its %d GB and set to read-only.", l.StorageMB/gigabyte)},
			{"check2", moreStorage(l)},
		},
	})
}

func moreConnections(l Limits) string {
	if n, ok := l.Next(); ok {
		return fmt.Sprintf("%s allows %d and has %d vCores", n.SKU, n.Connections, n.VCores)
	}
	return "there is none above " + l.SKU + " in its tier"
}

func moreIOPS(l Limits) string {
	if l.IOPS >= maxIOPS {
		return "6000 IOPS are the most a server can have: spread the load or read less."
	}
	next := min(l.IOPS*2, maxIOPS)
	return fmt.Sprintf("If it is, more storage gives more IOPS, 3 for each GB: %d GB give %d.", StorageFor(next), next)
}

func moreStorage(l Limits) string {
	t := tier{maxStorage: 4 << 20}
	s := sku{Name: l.SKU}
	if s.settle(nil) == nil {
		t = *tierNamed(s.Tier)
	}
	if l.StorageMB >= t.maxStorage {
		return fmt.Sprintf("It has all the %d GB that its tier allows: delete data or logs.", t.maxStorage/gigabyte)
	}
	return fmt.Sprintf("Provision more, in steps of 1 GB up to %d GB, or let it grow by itself (storageAutogrow).", t.maxStorage/gigabyte)
}

// Advise tells what to check when a metric of a server raises an alert, with the numbers of this moment; "" for other resources.
func (s *Service) Advise(ctx context.Context, resourceID, metric string) string {
	id, err := arm.ParseID(resourceID)
	if err != nil || !strings.EqualFold(id.Type(), serverTypeName) {
		return ""
	}
	d, err := s.load(ctx, resourceID)
	if err != nil || d == nil {
		return ""
	}
	if metric == metricActive { // what the post's own rule is about
		metric = metricActiveShare
	}
	for _, c := range concerns(d.limits) {
		if !strings.EqualFold(c.metric, metric) {
			continue
		}
		var text []string
		for _, a := range c.check {
			text = append(text, a[1])
		}
		switch {
		case strings.EqualFold(metric, metricFailed):
			text = append(text, s.failuresSoFar(d.server.GUID))
		case strings.EqualFold(metric, metricStorage) && d.props.Attach == nil:
			if left := diskFree(s.host.folder); left >= 0 {
				text = append(text, fmt.Sprintf("The disk that it is on has %d MB left.", left/mib))
			}
		}
		return strings.TrimSpace(strings.Join(text, " "))
	}
	return ""
}

// failuresSoFar tells how many connections of each reason have failed since the platform's start; "" where nothing counts them.
func (s *Service) failuresSoFar(guid string) string {
	e, ok := s.host.of(guid).(*engine)
	if !ok {
		return ""
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var parts []string
	for _, r := range gate.Reasons() {
		if n := e.failures[r]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, r))
		}
	}
	if parts == nil {
		return ""
	}
	return "Since the platform started: " + strings.Join(parts, ", ") + "."
}
