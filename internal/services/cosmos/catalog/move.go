package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// A move (a split or a merge of ranges) is planned in the account's shard, in the transaction that asks for it, and carried out from the outbox of a
// shard of its own, "splits/<account>", so that the account's other changes don't wait for the copying.
const (
	kindPlanned = "cosmos.split.planned" // hands the job over
	kindSplit   = "cosmos.split"
)

// moveJob is what a move needs to know.
type moveJob struct {
	Account   string `json:"account"`
	Database  uint32 `json:"database"`
	Number    uint32 `json:"number"`
	Container string `json:"container"` // guid
	Move      Move   `json:"split"`
}

var (
	jobCodec    = store.Codec[moveJob]{Kind: 'j', Version: 2, Upgrade: asItWas} // 2: merges
	errNoMove   = errors.New("catalog: the container is gone, or the move is done")
	splitPrefix = "splits/"
)

// SplitShard is where an account's splits and merges are carried out.
func SplitShard(acct string) string { return splitPrefix + acct }

// Steps of a move, as Catalog.Step sees them.
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

// maxMoveRounds is how often the children catch up with a parent that is written faster than that before it is fenced all the same.
const (
	maxMoveRounds = 50
	restRows      = 128
)

// plan enters a move into the container's record and the outbox.
func (c *Container) plan(tx store.Tx, acct string, m Move) error {
	c.Moves = append(c.Moves, m)
	job, err := jobCodec.Encode(moveJob{acct, c.Database, c.Number, c.GUID, m})
	if err != nil {
		return err
	}
	return outbox.PutOrdered(tx, kindPlanned, c.GUID, job)
}

// child makes a range that comes from others.
func (c *Container) child(guid, low, high string, parents ...*Range) Range {
	if c.NextRange == 0 { // a record from before there were splits
		c.NextRange = uint16(len(c.Ranges))
	}
	n := c.NextRange
	c.NextRange++
	r := Range{ID: strconv.Itoa(int(n)), GUID: guid, Number: n, Min: low, Max: high}
	for _, p := range parents {
		for _, id := range p.Parents {
			if !slices.Contains(r.Parents, id) {
				r.Parents = append(r.Parents, id)
			}
		}
	}
	for _, p := range parents {
		r.Parents = append(r.Parents, p.ID)
	}
	return r
}

// maxNumber is the highest number a range can have: twelve bits of its documents' numbers are the range's.
const maxNumber = 0xfff

// numbersLeft refuses a move whose children would get numbers that there are not.
func (c *Container) numbersLeft(children int) error {
	if max(int(c.NextRange), len(c.Ranges))+children-1 > maxNumber {
		return fault.New(fault.Invalid, "BadRequest", "The container's partition key ranges have been divided and merged too often: there are no ids left for others.")
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

// handOver brings a planned move into the shard of splits. It may run again.
func (c *Catalog) handOver(ctx context.Context, _ string, payload []byte) error {
	job, err := jobCodec.Decode(payload)
	if err != nil {
		return err
	}
	mark := []byte("J|" + job.Move.GUID)
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

// container finds the container; nil if it is gone, or has no such move to do.
func (j *moveJob) container(sn store.Snapshot) (*Container, error) {
	name, err := sn.Get(containerNameKey(j.Database, j.Number))
	if name == nil || err != nil {
		return nil, err
	}
	con, err := get(sn, containerCodec, containerKey(j.Database, string(name)))
	if con == nil || err != nil || con.GUID != j.Container {
		return nil, err
	}
	if m := con.moving(j.Move.Parent); m == nil || m.Children[0].GUID != j.Move.Children[0].GUID {
		return nil, nil
	}
	return con, nil
}

// move carries a move out. It may be cut off anywhere and run again.
func (c *Catalog) move(ctx context.Context, _ string, payload []byte) error {
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
		return fmt.Errorf("%s range %s of container %s: %w", map[bool]string{false: "split", true: "merge"}[job.Move.merges()], job.Move.Parent, con.Name, err)
	}
	if err := c.step(StepPublish); err != nil {
		return err
	}
	err = c.publish(ctx, &job)
	if errors.Is(err, errNoMove) || errors.Is(err, ErrNoAccount) {
		return c.abandon(ctx, &job)
	}
	if err != nil {
		return err
	}
	return c.step(StepPublished)
}

// parents are the ranges that the documents come from.
func (j *moveJob) parents(con *Container) ([]items.Parent, error) {
	ids := []string{j.Move.Parent}
	if j.Move.merges() {
		ids = append(ids, j.Move.Other)
	}
	out := make([]items.Parent, len(ids))
	for i, id := range ids {
		of := con.RangeByID(id)
		if of == nil {
			return nil, fmt.Errorf("the range %s is not one of the container", id)
		}
		out[i] = items.Parent{Range: con.Items(*of), Place: i, Joined: len(ids) > 1}
	}
	return out, nil
}

// fill makes the children, from following the parents to their taking into use.
func (c *Catalog) fill(ctx context.Context, job *moveJob, con *Container) error {
	m := &job.Move
	parents, err := job.parents(con)
	if err != nil {
		return err
	}
	for _, p := range parents {
		if err := c.step(StepFollow); err != nil {
			return err
		}
		if err := c.items.Follow(ctx, p.Range, 0); err != nil {
			return err
		}
	}
	for _, r := range m.Children {
		if err := c.copyInto(ctx, con, parents, r); err != nil {
			return err
		}
	}
	for range maxMoveRounds {
		most, err := c.follow(ctx, m, con, parents, StepCatchUp)
		if err != nil {
			return err
		}
		if most < restRows {
			break
		}
	}
	fences := make([]store.LSN, len(parents))
	for i, p := range parents {
		if err := c.step(StepFence); err != nil {
			return err
		}
		if fences[i], err = c.items.Fence(ctx, p.Range); err != nil {
			return err
		}
	}
	for {
		most, err := c.follow(ctx, m, con, parents, StepRest)
		if err != nil {
			return err
		}
		if most == 0 {
			break
		}
	}
	for i, r := range m.Children {
		if err := c.step(StepActivate); err != nil {
			return err
		}
		if m.Children[i].Base, err = c.items.Activate(ctx, con.Items(r), fences); err != nil {
			return err
		}
	}
	return nil
}

// copyInto makes a child, and copies what its parents have.
func (c *Catalog) copyInto(ctx context.Context, con *Container, parents []items.Parent, r Range) error {
	child := con.Items(r)
	child.Policy = con.indexing()
	if err := c.items.InitChild(ctx, parents, child); err != nil {
		return err
	}
	if err := c.inheritTTL(ctx, con, r); err != nil {
		return err
	}
	for _, p := range parents {
		for done := false; !done; {
			if err := c.step(StepCopy); err != nil {
				return err
			}
			var err error
			if done, err = c.items.CopyStep(ctx, p, con.Items(r)); err != nil {
				return err
			}
		}
	}
	return nil
}

// follow does one step of catching up in each child with each parent, and tells the most rows there were.
func (c *Catalog) follow(ctx context.Context, m *Move, con *Container, parents []items.Parent, step string) (most int, err error) {
	for _, r := range m.Children {
		for _, p := range parents {
			if err := c.step(step); err != nil {
				return 0, err
			}
			n, err := c.items.FollowStep(ctx, p, con.Items(r))
			if err != nil {
				return 0, err
			}
			most = max(most, n)
		}
	}
	return most, nil
}

// replaced are the ranges with the children in the parents' place.
func (c *Container) replaced(m *Move) (out []Range) {
	for _, r := range c.Ranges {
		switch r.ID {
		case m.Parent:
			out = append(out, m.Children...)
		case m.Other: // the second parent, which follows the first
		default:
			out = append(out, r)
		}
	}
	return out
}

// publish puts the children in the parents' place.
func (c *Catalog) publish(ctx context.Context, job *moveJob) error {
	guids := newGUIDs(2 * maxRanges)
	return c.update(ctx, job.Account, nil, func(tx store.Tx) error {
		con, err := job.container(tx)
		if err != nil {
			return err
		}
		if con == nil {
			return errNoMove
		}
		con.Ranges = con.replaced(&job.Move)
		con.Moves = slices.DeleteFunc(con.Moves, func(m Move) bool { return m.Parent == job.Move.Parent })
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
		for _, guid := range job.Move.guids() {
			if err := outbox.Put(tx, kindDrop, []byte(guid)); err != nil {
				return err
			}
		}
		return nil
	})
}

// abandon removes children that no container has.
func (c *Catalog) abandon(ctx context.Context, job *moveJob) error {
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
	for _, r := range job.Move.Children {
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

// retrySplits is how often moves are tried again that failed, and ranges are looked at that may have got too big.
const retrySplits = time.Minute

// Run carries out splits and merges until ctx ends, those that a crash left and those that a change of throughput or the size of a range needs, and
// keeps change feeds to their retention. What fails is reported and tried again.
func (c *Catalog) Run(ctx context.Context, report func(error)) error {
	for {
		if err := errors.Join(c.TrimFeeds(ctx), c.Weigh(ctx), c.SplitBig(ctx), c.drainSplits(ctx)); err != nil && ctx.Err() == nil {
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
