package app

import (
	"context"
	"errors"
	"io"
	"runtime/pprof"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// longestProfile is how long the processor may be watched by one request.
const longestProfile = 10 * time.Minute

// profile writes a profile of the platform's own process in the format of pprof: where processor time goes during ?for=10s (?kind=cpu, which is also what an empty kind
// means), or one of the runtime's at this moment (heap, allocs, goroutine, block, mutex, threadcreate). Symbols and figures only, nothing of what is stored.
// One processor profile at a time: a second is refused.
func (p *Platform) profile(w io.Writer, r *wire.Request) error {
	kind := r.Query("kind")
	if kind != "" && kind != "cpu" {
		found := pprof.Lookup(kind)
		if found == nil {
			return fault.New(fault.Invalid, "InvalidProfile", "there is no profile %q; there are cpu, heap, allocs, goroutine, block, mutex and threadcreate", kind)
		}
		return found.WriteTo(w, 0)
	}
	span, err := time.ParseDuration(r.Query("for"))
	if err != nil || span <= 0 || span > longestProfile {
		return fault.New(fault.Invalid, "InvalidProfile", "for must be a duration such as 10s, at most %s", longestProfile)
	}
	return profileCPU(r.HTTP.Context(), w, span)
}

func profileCPU(ctx context.Context, w io.Writer, span time.Duration) error {
	if err := pprof.StartCPUProfile(w); err != nil {
		return fault.New(fault.Conflict, "ProfileUnderWay", "a processor profile is being made already")
	}
	defer pprof.StopCPUProfile()
	end := time.NewTimer(span) // the processor's time, not the injected clock's
	defer end.Stop()
	select {
	case <-end.C:
		return nil
	case <-ctx.Done():
		return errors.New("the profile's reader went away")
	}
}
