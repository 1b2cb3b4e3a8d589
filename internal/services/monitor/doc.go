// Package monitor is Azure Monitor: Microsoft.Insights on the control plane's host, and custom metrics at {region}.monitoring.azure.com.
//
// Metrics: metricDefinitions, metricNamespaces and metrics of a resource or of a subscription's region (api-versions from 2016-03-01 on); the numbers are in package metrics.
//
// What of Azure Monitor is missing is in docs/divergences/monitor.md.
package monitor
