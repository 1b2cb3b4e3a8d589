// Package shell is the bash that visitors of the honeypot talk to. It reads the language with mvdan.cc/sh's parser, expands words with its expander, and evaluates what was
// read itself: every program is one of the functions of this package, every file is one of memfs.
//
// # Why an evaluator of our own
//
// mvdan.cc/sh has an interpreter with handlers for running and opening, but it also asks the host on its own: access(2) for cd and test -r, stat for the start folder
// and for looking programs up, mkfifo for process substitutions, the user's and the process's ids. Each would tell a visitor of the host or touch it. Here there is
// nothing to intercept, because nothing is there: this package, and those of the project that it imports, don't import os, os/exec, syscall, net or unsafe, which TestImports
// keeps, and the expander's one way to the host (~user) is answered before it asks.
//
// # Ends
//
// Whatever is typed ends: commands and turns of loops are counted, the depth of calls is limited, and so are the bytes that an expansion may read, a variable holds,
// a pipe carries and a line prints. Pipes are buffers and programs run one after the other, so that a fork bomb is a recursion like another. What is started in the background
// runs at once, with a small allowance of its own. All of it can be interrupted through the context.
package shell
