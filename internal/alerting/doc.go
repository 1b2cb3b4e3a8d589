// Package alerting decides when an alert rule fires and when it resolves. It is pure: no clock, no store, no notification; who calls it gives it the minute and a
// Source of measurements, and keeps the State it returns.
//
// # What is true
//
//   - A rule is evaluated at whole minutes, those at which Due says so. At minute m its window is [m-Window, m): the minutes that are over.
//   - A window is merged anew from one-minute cells at each evaluation. Late points are therefore seen by every evaluation whose window still holds them.
//   - The criteria of a rule are all to be met. Each resource of its scopes, and each combination of the dimensions that its criteria name, is an instance with a
//     state of its own.
//   - A window without any data is Unknown: neither healthy nor unhealthy. It changes no state, counts as none of the healthy evaluations, and breaks none
//     of their row. No zero is made up, not even for the aggregation Count.
//   - An instance fires at the first unhealthy evaluation, and resolves after three healthy ones in a row, unless its rule has no AutoMitigate.
//   - A minute is evaluated once: an evaluation at a minute that is not after the last one changes nothing. So neither a clock that goes back nor one that
//     runs a tick again after a crash repeats a transition.
//   - State and data alone decide: a process that ends after any evaluation, and goes on with the states it had stored, makes the transitions that
//     one without an end would have made (Ticks gives the minutes it has to catch up on).
//
// Dynamic criteria learn a band from the series' own past: see Band. Semantics as in the facts of Azure Monitor, "metricAlerts 2018-03-01".
package alerting
