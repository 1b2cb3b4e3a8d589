package proc

import "time"

// Bounds of the pause before a crashed command is started again.
const (
	firstPause = time.Second
	lastPause  = 60 * time.Second
	steadyRun  = 60 * time.Second // a run this long was a good one: the next pause is the first again
)

// backoff counts the pauses between crashes.
type backoff struct{ next time.Duration }

// pause returns how long to wait after a run of the given length.
func (b *backoff) pause(ran time.Duration) time.Duration {
	if b.next == 0 || ran >= steadyRun {
		b.next = firstPause
	}
	d := b.next
	b.next = min(2*b.next, lastPause)
	return d
}
