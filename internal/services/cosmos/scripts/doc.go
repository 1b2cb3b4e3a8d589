// Package scripts runs what containers hold as JavaScript: stored procedures, triggers and user-defined functions.
//
// The interpreter (goja) can be stopped between two instructions, but not within one: `new Array(1e9).join("x")`, a string doubled thirty times or a deeply
// nested array turned into text would take the platform's memory, stack or processor with it. So a script never runs in the platform's process: a Pool keeps
// worker processes (the same program, see Serve), each with a bound on time, heap and stack of its own; one that oversteps is gone, and its caller gets
// an Error. A worker has no environment, opens nothing, and speaks one protocol on its standard input and output: frames of JSON, see frames.go.
// An Engine runs scripts in the calling process; it is what a worker uses, and tests.
//
// A script reaches documents through a Host alone: an operation's name and texts in, JSON out (see Host). What the names mean to a script,
// getContext(), `__` and the rest, is prelude.js. Operations take effect when they are called; their callbacks run after the running function returned, in order.
//
//	Job{Kind: Procedure, Name: "hello", Body: `function (who) { getContext().getResponse().setBody("Hello, " + who) }`, Args: `["you"]`}
//	Result{Body: `"Hello, you"`}
//
// Each run has a fresh global scope. Programs are compiled once and kept by their text.
package scripts
