package harness

import (
	"os"
	"strconv"
	"testing"
)

// Kills is how often a test kills the platform: a few times, or as BULKHEAD_SOAK_KILLS says.
func Kills(t testing.TB, few int) int {
	t.Helper()
	s := os.Getenv("BULKHEAD_SOAK_KILLS")
	if s == "" {
		return few
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("BULKHEAD_SOAK_KILLS: %v", err)
	}
	return n
}
