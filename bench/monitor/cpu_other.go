//go:build !unix

package main

import "time"

var began = time.Now()

// processor is not known here: the clock stands for it.
func processor() time.Duration { return time.Since(began) }
