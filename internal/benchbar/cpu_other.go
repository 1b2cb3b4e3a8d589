//go:build !unix

package benchbar

import "time"

// cpu is not known here.
func cpu() time.Duration { return 0 }
