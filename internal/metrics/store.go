package metrics

import (
	"log/slog"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Deps is what the store of metrics stands on.
type Deps struct {
	Store store.Store
	Clock clock.Clock  // nil: the system's
	Log   *slog.Logger // nil: none
	// MaxSeries is how many series there may be in all; 0: DefaultMaxSeries.
	MaxSeries int
}

// DefaultMaxSeries bounds the series of a platform where nothing else is said.
const DefaultMaxSeries = 2_000_000

// Refusal says why one of the samples given to Add was not taken.
type Refusal struct {
	Index int    // of the sample
	Code  string // TooOld, TooFarInFuture, InvalidValue, InvalidSeries, SeriesLimitReached
	Text  string // names the series, the value and the bound
}

// Error implements error.
func (r Refusal) Error() string { return r.Code + ": " + r.Text }

// Quota bounds how many series a group of senders may have active, that is with a sample in the last 12 hours.
type Quota struct {
	Group string // "{subscription}/{region}"
	Max   int    // 0: no bound
}
