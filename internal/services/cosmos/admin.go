package cosmos

import (
	"context"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// ContainerRef names a container for the command line.
type ContainerRef struct {
	Account  string `json:"account"`
	Database string `json:"database"`
	// Container is its name or resource id, as Database is.
	Container string `json:"container"`
}

// adminRoutes are what `bulkhead cosmos` calls, by the admin socket alone.
func (s *Service) adminRoutes() []wire.Route {
	return []wire.Route{{
		Host: wire.HostAdmin, Method: "POST", Pattern: "/cosmos/split", Operation: "SplitRange", Auth: wire.Anonymous, Handler: s.postSplit, Quiet: true,
	}, {
		Host: wire.HostAdmin, Method: "POST", Pattern: "/cosmos/merge", Operation: "MergeRanges", Auth: wire.Anonymous, Handler: s.postMerge, Quiet: true,
	}, {
		Host: wire.HostAdmin, Method: "GET", Pattern: "/cosmos/ranges", Operation: "GetRanges", Auth: wire.Anonymous, Handler: s.getRanges, Quiet: true,
	}, s.exportRoute(), s.importRoute()}
}

// rangeAnswer is a range as the command line shows it.
type rangeAnswer struct {
	ID      string   `json:"id"`
	Min     string   `json:"minInclusive"`
	Max     string   `json:"maxExclusive"`
	Parents []string `json:"parents,omitempty"`
	Status  string   `json:"status"` // online, splitting or merging
}

// rangesAnswer is the ranges of a container.
type rangesAnswer struct {
	Ranges []rangeAnswer `json:"ranges"`
}

// postSplit divides a range, waits for it, and answers the ranges there are then.
func (s *Service) postSplit(ctx context.Context, r *wire.Request) (any, error) {
	var in struct {
		ContainerRef
		Range string `json:"range"`
	}
	if err := wire.Bind(r, &in); err != nil {
		return nil, err
	}
	if err := s.SplitRange(ctx, in.Account, in.Database, in.Container, in.Range); err != nil {
		return nil, err
	}
	return s.rangesOf(ctx, in.ContainerRef)
}

// postMerge makes one range of two neighbours, waits for it, and answers the ranges there are then.
func (s *Service) postMerge(ctx context.Context, r *wire.Request) (any, error) {
	var in struct {
		ContainerRef
		Range string `json:"range"`
		With  string `json:"with"`
	}
	if err := wire.Bind(r, &in); err != nil {
		return nil, err
	}
	if err := s.MergeRanges(ctx, in.Account, in.Database, in.Container, in.Range, in.With); err != nil {
		return nil, err
	}
	return s.rangesOf(ctx, in.ContainerRef)
}

// getRanges lists a container's ranges.
func (s *Service) getRanges(ctx context.Context, r *wire.Request) (any, error) {
	return s.rangesOf(ctx, ContainerRef{r.Query("account"), r.Query("database"), r.Query("container")})
}

func (s *Service) rangesOf(ctx context.Context, ref ContainerRef) (*rangesAnswer, error) {
	_, con, err := s.find(ctx, ref)
	if err != nil {
		return nil, err
	}
	out := &rangesAnswer{}
	for _, r := range con.Ranges {
		status := "online"
		switch {
		case con.Splitting(r.ID):
			status = "splitting"
		case con.Merging(r.ID):
			status = "merging"
		}
		out.Ranges = append(out.Ranges, rangeAnswer{r.ID, r.Min, r.Max, r.Parents, status})
	}
	return out, nil
}

// find finds an account, by name, and a container in it.
func (s *Service) find(ctx context.Context, ref ContainerRef) (account string, con *catalog.Container, err error) {
	a, err := s.accounts.Account(ctx, ref.Account)
	switch {
	case err != nil:
		return "", nil, err
	case a == nil:
		return "", nil, fault.New(fault.NotFound, "NotFound", "There is no Cosmos DB account '%s'.", ref.Account)
	}
	_, con, err = s.catalog.Container(ctx, a.GUID, ref.Database, ref.Container)
	if fault.Is(err, fault.NotFound) {
		err = fault.New(fault.NotFound, "NotFound", "The account '%s' has no container '%s' in a database '%s'.", ref.Account, ref.Container, ref.Database)
	}
	return a.GUID, con, err
}

// SplitRange divides a partition key range of a container into two, and returns when that is done. The account is given by name.
func (s *Service) SplitRange(ctx context.Context, account, db, coll, id string) error {
	guid, _, err := s.find(ctx, ContainerRef{account, db, coll})
	if err != nil {
		return err
	}
	return s.catalog.Split(ctx, guid, db, coll, id)
}

// MergeRanges makes one partition key range of two neighbours, and returns when that is done. The account is given by name.
func (s *Service) MergeRanges(ctx context.Context, account, db, coll, id, other string) error {
	guid, _, err := s.find(ctx, ContainerRef{account, db, coll})
	if err != nil {
		return err
	}
	return s.catalog.Merge(ctx, guid, db, coll, id, other)
}
