package catalog

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// A split is planned in the account's shard, in the transaction that asks for it, and carried out from the outbox of a shard of its own,
// "splits/<account>", so that the account's other changes don't wait for the copying.
const (
	kindPlanned = "cosmos.split.planned" // hands the job over
	kindSplit   = "cosmos.split"
)

// splitJob is what a split needs to know.
type splitJob struct {
	Account   string `json:"account"`
	Database  uint32 `json:"database"`
	Number    uint32 `json:"number"`
	Container string `json:"container"` // guid
	Split     Split  `json:"split"`
}

var (
	jobCodec    = store.Codec[splitJob]{Kind: 'j', Version: 1}
	errNoSplit  = errors.New("catalog: the container is gone, or the split is done")
	splitPrefix = "splits/"
)

// SplitShard is where an account's splits are carried out.
func SplitShard(acct string) string { return splitPrefix + acct }

// Splitting steps, as Options.Step sees them.
const (
	StepFollow    = "follow"
	StepCopy      = "copy"
	StepCatchUp   = "catch up"
	StepFence     = "fence"
	StepRest      = "rest"
	StepActivate  = "activate"
	StepPublish   = "publish"
	StepPublished = "published"
)

// maxSplitRounds is how often the children catch up with a parent that is written faster than that before it is fenced all the same.
const (
	maxSplitRounds = 50
	restRows       = 128
)

// plan enters the split of a range into the container's record and the outbox. guids are those of the children.
func (c *Container) plan(tx store.Tx, acct string, r Range, guids [2]string) error {
	middle, ok := c.PartitionKey.Middle(r.Min, r.Max)
	if !ok {
		return fault.New(fault.Invalid, "BadRequest", "The partition key range '%s' is too narrow to be split.", r.ID)
	}
	if c.NextRange == 0 { // a record from before there were splits
		c.NextRange = uint16(len(c.Ranges))
	}
	s := Split{Parent: r.ID, GUID: r.GUID}
	bounds := [3]string{r.Min, middle, r.Max}
	parents := append(append([]string(nil), r.Parents...), r.ID)
	for i := range s.Children {
		n := c.NextRange
		c.NextRange++
		s.Children[i] = Range{ID: strconv.Itoa(int(n)), GUID: guids[i], Number: n, Min: bounds[i], Max: bounds[i+1], Parents: parents}
	}
	c.Splits = append(c.Splits, s)
	job, err := jobCodec.Encode(splitJob{acct, c.Database, c.Number, c.GUID, s})
	if err != nil {
		return err
	}
	return outbox.PutOrdered(tx, kindPlanned, c.GUID, job)
}

// grow plans as many splits as it takes to have want ranges; those that need children of children are planned when these are there.
func (c *Container) grow(tx store.Tx, acct string, guids []string) error {
	for len(c.Ranges)+len(c.Splits) < c.Want && len(guids) >= 2 {
		var widest *Range
		for i, r := range c.Ranges {
			if !c.Splitting(r.ID) && (widest == nil || len(r.Parents) < len(widest.Parents)) {
				widest = &c.Ranges[i]
			}
		}
		if widest == nil {
			return nil
		}
		if err := c.plan(tx, acct, *widest, [2]string(guids)); err != nil {
			return err
		}
		guids = guids[2:]
	}
	return nil
}

func newGUIDs(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = ids.New()
	}
	return out
}

// Split divides a range into two, and returns when that is done. A range that is being split already: a 409 fault; one that is not there: 404.
func (c *Catalog) Split(ctx context.Context, acct, db, coll, id string) error {
	guids := newGUIDs(2)
	err := c.update(ctx, acct, nil, func(tx store.Tx) error {
		con, err := c.present(tx, db, coll, "")
		if err != nil {
			return err
		}
		r := con.RangeByID(id)
		switch {
		case r == nil:
			return fault.New(fault.NotFound, "NotFound", "The container has no partition key range '%s'.", id)
		case con.Splitting(id):
			return fault.New(fault.Conflict, "Conflict", "The partition key range '%s' is being split already.", id)
		}
		if err := con.plan(tx, acct, *r, [2]string(guids)); err != nil {
			return err
		}
		return put(tx, containerCodec, containerKey(con.Database, con.Name), *con)
	})
	if err != nil {
		return err
	}
	return c.drain.Drain(ctx, SplitShard(acct))
}

// handOver moves a planned split into the shard of splits. It may run again.
func (c *Catalog) handOver(ctx context.Context, _ string, payload []byte) error {
	job, err := jobCodec.Decode(payload)
	if err != nil {
		return err
	}
	mark := []byte("J|" + job.Split.GUID)
	_, err = c.st.Update(ctx, SplitShard(job.Account), func(tx store.Tx) error {
		if b, err := tx.Get(mark); b != nil || err != nil {
			return err
		}
		if err := tx.Put(mark, []byte{'J', 1}); err != nil {
			return err
		}
		return outbox.PutOrdered(tx, kindSplit, job.Container, payload)
	})
	return err
}

// container finds the container; nil if it is gone, or has no such split to do.
func (j *splitJob) container(sn store.Snapshot) (*Container, error) {
	name, err := sn.Get(containerNameKey(j.Database, j.Number))
	if name == nil || err != nil {
		return nil, err
	}
	con, err := get(sn, containerCodec, containerKey(j.Database, string(name)))
	if con == nil || err != nil || con.GUID != j.Container || !con.Splitting(j.Split.Parent) {
		return nil, err
	}
	return con, nil
}

// split carries a split out. It may be cut off anywhere and run again.
func (c *Catalog) split(ctx context.Context, _ string, payload []byte) error {
	job, err := jobCodec.Decode(payload)
	if err != nil {
		return err
	}
	var con *Container
	err = c.st.View(ctx, Shard(job.Account), func(sn store.Snapshot) (err error) {
		con, err = job.container(sn)
		return err
	})
	if err != nil {
		return err
	}
	if con == nil {
		return c.abandon(ctx, &job)
	}
	if err := c.fill(ctx, &job, con); err != nil {
		return fmt.Errorf("split range %s of container %s: %w", job.Split.Parent, con.Name, err)
	}
	if err := c.step(StepPublish); err != nil {
		return err
	}
	err = c.publish(ctx, &job)
	if errors.Is(err, errNoSplit) || errors.Is(err, ErrNoAccount) {
		return c.abandon(ctx, &job)
	}
	if err != nil {
		return err
	}
	return c.step(StepPublished)
}

// fill makes the children, from following the parent to their taking into use.
func (c *Catalog) fill(ctx context.Context, job *splitJob, con *Container) error {
	s := &job.Split
	of := con.RangeByID(s.Parent)
	if of == nil {
		return fmt.Errorf("the range %s is not one of the container", s.Parent)
	}
	parent := con.Items(*of)
	if err := c.step(StepFollow); err != nil {
		return err
	}
	if err := c.items.Follow(ctx, parent, 0); err != nil {
		return err
	}
	for _, r := range s.Children {
		child := con.Items(r)
		child.Policy = con.indexing()
		if err := c.items.InitChild(ctx, parent, child); err != nil {
			return err
		}
		if err := c.inheritTTL(ctx, con, r); err != nil {
			return err
		}
		for done := false; !done; {
			if err := c.step(StepCopy); err != nil {
				return err
			}
			var err error
			if done, err = c.items.CopyStep(ctx, parent, con.Items(r)); err != nil {
				return err
			}
		}
	}
	for range maxSplitRounds {
		most, err := c.follow(ctx, s, con, parent, StepCatchUp)
		if err != nil {
			return err
		}
		if most < restRows {
			break
		}
	}
	if err := c.step(StepFence); err != nil {
		return err
	}
	fence, err := c.items.Fence(ctx, parent)
	if err != nil {
		return err
	}
	for {
		most, err := c.follow(ctx, s, con, parent, StepRest)
		if err != nil {
			return err
		}
		if most == 0 {
			break
		}
	}
	for i, r := range s.Children {
		if err := c.step(StepActivate); err != nil {
			return err
		}
		if s.Children[i].Base, err = c.items.Activate(ctx, con.Items(r), fence); err != nil {
			return err
		}
	}
	return nil
}

// follow does one step of catching up in each child, and tells the most rows there were.
func (c *Catalog) follow(ctx context.Context, s *Split, con *Container, parent items.Range, step string) (most int, err error) {
	for _, r := range s.Children {
		if err := c.step(step); err != nil {
			return 0, err
		}
		n, err := c.items.FollowStep(ctx, parent, con.Items(r))
		if err != nil {
			return 0, err
		}
		most = max(most, n)
	}
	return most, nil
}

// publish puts the children in the parent's place.
func (c *Catalog) publish(ctx context.Context, job *splitJob) error {
	guids := newGUIDs(2 * maxRanges)
	return c.update(ctx, job.Account, nil, func(tx store.Tx) error {
		con, err := job.container(tx)
		if err != nil {
			return err
		}
		if con == nil {
			return errNoSplit
		}
		var ranges []Range
		for _, r := range con.Ranges {
			if r.ID == job.Split.Parent {
				ranges = append(ranges, job.Split.Children[:]...)
			} else {
				ranges = append(ranges, r)
			}
		}
		var others []Split
		for _, s := range con.Splits {
			if s.Parent != job.Split.Parent {
				others = append(others, s)
			}
		}
		con.Ranges, con.Splits = ranges, others
		con.Routing++
		if err := con.grow(tx, job.Account, guids); err != nil {
			return err
		}
		if err := put(tx, containerCodec, containerKey(con.Database, con.Name), *con); err != nil {
			return err
		}
		if err := con.tellTTL(tx); err != nil {
			return err
		}
		if err := con.tellIndexing(tx, nil); err != nil { // it may have changed while the children were filled
			return err
		}
		return outbox.Put(tx, kindDrop, []byte(job.Split.GUID))
	})
}

// abandon removes children that no container has.
func (c *Catalog) abandon(ctx context.Context, job *splitJob) error {
	used := map[string]bool{}
	err := c.st.View(ctx, Shard(job.Account), func(sn store.Snapshot) error {
		clear(used)
		all, err := scan(sn, containerCodec, containersPrefix(job.Database))
		for _, con := range all {
			for _, r := range con.Ranges {
				used[r.GUID] = true
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, r := range job.Split.Children {
		if !used[r.GUID] {
			if err := c.items.Drop(ctx, r.GUID); err != nil {
				return err
			}
		}
	}
	return nil
}

// step lets a test end the work at a step.
func (c *Catalog) step(name string) error {
	if c.Step == nil {
		return nil
	}
	return c.Step(name)
}

// retrySplits is how often splits are tried again that failed.
const retrySplits = time.Minute

// Run carries out splits until ctx ends, those that a crash left and those that a change of throughput needs, and keeps change feeds to their
// retention. What fails is reported and tried again.
func (c *Catalog) Run(ctx context.Context, report func(error)) error {
	for {
		if err := errors.Join(c.TrimFeeds(ctx), c.drainSplits(ctx)); err != nil && ctx.Err() == nil {
			report(err)
		}
		again := time.NewTimer(retrySplits) // a pause of the machine, not a time of the service
		select {
		case <-ctx.Done():
			again.Stop()
			return ctx.Err()
		case <-c.wake:
		case <-again.C:
		}
		again.Stop()
	}
}

func (c *Catalog) drainSplits(ctx context.Context) error {
	names, err := c.st.Shards(ctx, splitPrefix, "", 0)
	for _, shard := range names {
		err = errors.Join(err, c.drain.Drain(ctx, shard))
	}
	return err
}

// wakeUp makes Run look at once.
func (c *Catalog) wakeUp() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}
