//go:build !linux

package doctor

// ClockSynced is not known here.
func ClockSynced() (synced, known bool) { return false, false }
