package main

import "context"

// group makes one transaction of all documents whose writers wait at the time, so that one sync serves them.
type group struct {
	queue chan pending
	ended chan struct{}
}

type pending struct {
	d    document
	done chan error
}

func startGroup(write func(ctx context.Context, ds []document) error) *group {
	g := &group{make(chan pending, writersMost), make(chan struct{})}
	go func() {
		defer close(g.ended)
		for first := range g.queue {
			ps := []pending{first}
			for more := true; more && len(ps) < writersMost; {
				select {
				case p, open := <-g.queue:
					if more = open; open {
						ps = append(ps, p)
					}
				default:
					more = false
				}
			}
			ds := make([]document, len(ps))
			for i, p := range ps {
				ds[i] = p.d
			}
			err := write(context.Background(), ds)
			for _, p := range ps {
				p.done <- err
			}
		}
	}()
	return g
}

func (g *group) do(_ context.Context, d document) error {
	p := pending{d, make(chan error, 1)}
	g.queue <- p
	return <-p.done
}

// close ends the group; nobody may write any more.
func (g *group) close() {
	close(g.queue)
	<-g.ended
}
