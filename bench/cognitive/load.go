package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/bench/lean"
	"github.com/bulkheadhq/bulkhead/bench/machine"
	"github.com/bulkheadhq/bulkhead/bench/report"
)

const (
	path        = "/text/analytics/v3.1/languages"
	connections = 8
	many        = 1000
)

// texts are what is sent in turn: sentences of our own, of different languages and lengths.
func texts() []string {
	return []string{
		"The ferry leaves at half past nine, and those who come late wait for the next one.",
		"Die Brücke ist wegen Hochwassers gesperrt; der Bus fährt über die Landstraße.",
		"Le marché du samedi commence tôt, quand les pêcheurs rentrent au port.",
		"Los vecinos plantaron doscientos árboles a la orilla del río el año pasado.",
		"Il treno per la costa parte dal binario quattro fra dieci minuti.",
		"A biblioteca fica aberta até às oito da noite durante a semana.",
		"De sleutel ligt onder de bloempot naast de achterdeur.",
		"Pociąg do Gdańska odjeżdża z peronu trzeciego za kwadrans.",
		"Завтра утром обещают снег, поэтому дороги посыплют песком.",
		"来週の会議は水曜日の午後二時から三階の部屋で行います。",
		"图书馆星期一休息，其他日子从早上九点开到晚上八点。",
		"내일 아침에는 안개가 짙으니 운전을 조심하세요.",
		"يفتح المتحف أبوابه كل يوم من التاسعة صباحا حتى الخامسة مساء.",
		"Laiva lähtee satamasta vasta kun sumu on hälvennyt.",
		"Köprünün onarımı gelecek ayın sonunda bitecek.",
		"Good morning",
	}
}

type document struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

// body is a request's, of n documents.
func body(n, from int) []byte {
	all := texts()
	docs := make([]document, n)
	for i := range docs {
		docs[i] = document{strconv.Itoa(i + 1), all[(from+i)%len(all)]}
	}
	b, err := json.Marshal(map[string]any{"documents": docs})
	if err != nil {
		panic(err) // strings only
	}
	return b
}

func requests(addr string, n int) [][]byte {
	out := make([][]byte, len(texts()))
	for i := range out {
		out[i] = lean.Request("POST", addr, path, map[string]string{"Content-Type": "application/json"}, body(n, i))
	}
	return out
}

// started measures a container's start, and what it holds when it is ready.
func started(ctx context.Context, o options, kind, billing string, r *report.Report) error {
	p, err := start(ctx, o.bin, kind, billing)
	if err != nil {
		return err
	}
	defer p.stop()
	r.Least(kind+", start to ready", "ms", p.ready.Seconds()*1000, report.Aim{Most: 200})
	most := report.Aim{}
	if kind == "language" {
		most.Most = 40
	}
	return memory(p, r, kind+", ready", most)
}

// memory keeps what a container holds now.
func memory(p *process, r *report.Report, name string, most report.Aim) error {
	m, err := p.memory()
	if err != nil {
		return err
	}
	r.Least(name+": resident", "MiB", m.Resident, most)
	r.Least(name+": of that its own", "MiB", m.Anonymous, report.Aim{})
	r.Least(name+": of that the program's file", "MiB", m.File, report.Aim{})
	return nil
}

// loaded measures the language container under load.
func loaded(ctx context.Context, o options, billing string, r *report.Report) error {
	p, err := start(ctx, o.bin, "language", billing)
	if err != nil {
		return err
	}
	defer p.stop()
	single := requests(p.addr, 1)
	peak, stop := watch(p)
	before := machine.SpentBy(p.cmd)
	at := make([]int, connections)
	v, err := lean.Load(ctx, p.dial, connections, o.span, 200, func(w int) []byte {
		at[w]++
		return single[(at[w]+w)%len(single)]
	})
	if err != nil {
		stop()
		return fmt.Errorf("load of single documents: %w", err)
	}
	r.Most("language, single-document requests, "+strconv.Itoa(connections)+" connections", "1/s", v.PerSecond, report.Aim{Least: 10_000})
	r.Least("language, single-document requests, p99", "ms", v.P99.Seconds()*1000, report.Aim{})
	r.Least("language, CPU of a single-document request", "us", (machine.SpentBy(p.cmd)-before).Seconds()*1e6/float64(max(v.Done, 1)), report.Aim{})
	batch := requests(p.addr, many)
	v, err = lean.Load(ctx, p.dial, 1, o.span/2, 200, func(int) []byte { at[0]++; return batch[at[0]%len(batch)] })
	stop()
	if err != nil {
		return fmt.Errorf("load of a thousand documents: %w", err)
	}
	r.Least("language, a request of 1,000 documents, median", "ms", v.Median.Seconds()*1000, report.Aim{Most: 10})
	r.Least("language, the most resident under load", "MiB", *peak, report.Aim{Most: 40})
	return memory(p, r, "language, right after load", report.Aim{Most: 40})
}

// watch keeps the most that a container held, until stop has returned.
func watch(p *process) (most *float64, stop func()) {
	most = new(float64)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				if m, err := p.memory(); err == nil {
					*most = max(*most, m.Resident)
				}
			}
		}
	})
	return most, func() { close(done); wg.Wait() }
}
