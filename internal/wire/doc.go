// Package wire is the layer between HTTP and the services: it finds the route of a request, takes it through a fixed order of checks, and
// writes the answer in the form of the plane the request came in on.
//
// A Route is data. A Service is a list of routes; NewMux compiles them into one table a host kind and refuses what is ambiguous.
//
// # Patterns
//
//	/secrets/{name}/{version?}        {name} is one segment, {version?} an optional last one
//	/{scope*}/providers/X/locks/{id}  {scope*} is any number of leading segments, also none
//	/files/{path*}                    {path*} is the rest, also empty
//
// Literal segments match in any case. The path is split while still escaped and decoded segment by segment, so that %2F never separates; empty
// segments and a trailing slash do not count. At each segment a literal comes before a parameter, that before a rest. A pattern with a leading
// {scope*} wins over another when, counted from the end, it is the first to have a literal where the other has a parameter. The value of a
// multi-segment parameter is its decoded segments joined by slashes, without one in front; a slash inside a segment stays "%2F".
//
// # Stages
//
// host, route, network rules, api-version, authentication, authorization, body, handler. The first that refuses ends the request; in particular the body
// is not read before the caller is known and allowed. Every request ends in one log line, one Event and, unless exempt, one audit record; that of
// a refusal is durable before the answer is written.
//
// # Answers
//
// A handler returns a value or an error. *fault.Error becomes the plane's own error body (files *_plane.go); any other error is a 500 with a fixed
// text whose cause is only logged, with the request id the caller was given.
package wire
