// Package metrics keeps measurements as Azure Monitor keeps them: one cell per series and minute, {sum, count, min, max}, for 93 days.
//
// # Series
//
// A series is a resource, a namespace, a name and dimensions. All but the values of dimensions are compared in any case. It is made by its first sample; how many there
// may be is bounded, and a sample that would need one more is refused by name.
//
// # Samples
//
// Add takes cells, whatever they were made of: a single measurement is Of(v). A cell that is there already is merged with. Samples may come late by up to Late and early by up
// to Early; others are refused. What Add did not refuse is durable once it returns, kill -9 included. A sample that is sent twice counts twice.
//
// # Reading
//
// No data is not zero: a minute that nothing was measured in has an empty cell. Query answers charts: any span, any grain of whole minutes. Window answers alert rules: the
// merged cell of a span of minutes of one series, and how many of these minutes have data; out of memory and without allocations for what is not older than an hour.
//
// Package metrics knows nothing of wires; services/monitor has the API.
package metrics
