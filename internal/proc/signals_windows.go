package proc

import "os"

// Passed are the signals to pass on to a command: none, since a console's interrupt reaches every process on it.
func Passed() []os.Signal { return nil }
