//go:build !unix

package machine

import "time"

var began = time.Now()

// Spent is not known here: the clock stands for it.
func Spent() time.Duration { return time.Since(began) }
