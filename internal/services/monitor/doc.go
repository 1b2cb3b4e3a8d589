// Package monitor is Azure Monitor: Microsoft.Insights on the control plane's host, and custom metrics at {region}.monitoring.azure.com.
//
// Metrics: metricDefinitions, metricNamespaces and metrics of a resource or of a subscription's region (api-versions from 2016-03-01 on); the numbers are in package metrics.
//
//	GET {id}/providers/Microsoft.Insights/metrics?api-version=2021-05-01&metricnames=cpu_percent&interval=PT5M&timespan=2026-03-01T09:55:00Z/2026-03-01T10:00:00Z
//
//	200 {"cost":1,"timespan":"...","interval":"PT5M","value":[{"name":{"value":"cpu_percent",...},"unit":"Percent",
//	     "timeseries":[{"metadatavalues":[],"data":[{"timeStamp":"2026-03-01T09:55:00Z","average":15}]}]}]}
//
// At the regional host, with tokens for https://monitoring.azure.com/: custom metrics (POST {id}/metrics), Prometheus' remote write (POST {id}/api/v1/write) and what Prometheus
// scrapes (GET {id}/metrics). At {region}.metrics.monitor.azure.com: metrics of many resources at once (POST /subscriptions/{id}/metrics:getBatch). metricBaselines are the bands that
// dynamic criteria are judged by, from package alerting.
//
// What of Azure Monitor is missing is in docs/divergences/monitor.md.
package monitor
