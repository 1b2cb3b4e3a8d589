package cosmos

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/pkey"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// cutHeader tells at which LSN each range was exported, in the form of a session token.
const cutHeader = "Bulkhead-Cut"

// maxLine is the longest line of an import: a document, with what an export adds.
const maxLine = items.MaxDocument + 64<<10

// exportRoute answers all documents of a container as JSON lines.
func (s *Service) exportRoute() wire.Route {
	return wire.Route{
		Host: wire.HostAdmin, Method: "GET", Pattern: "/cosmos/export", Operation: "ExportContainer", Auth: wire.Anonymous, BodyLimit: -1, Quiet: true,
		Raw: func(w http.ResponseWriter, r *wire.Request) error {
			out := &lines{w: w}
			err := s.export(r.HTTP.Context(), ContainerRef{r.Query("account"), r.Query("database"), r.Query("container")}, out)
			if err == nil || out.n == 0 {
				return err
			}
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler) // cut off: the reader sees that the body does not end as it should
		},
	}
}

// lines writes documents, a line each.
type lines struct {
	w http.ResponseWriter
	n int
}

func (l *lines) write(text []byte) error {
	l.n++
	one := bytes.NewBuffer(make([]byte, 0, len(text)+1))
	if err := json.Compact(one, text); err != nil { // a document may be written over several lines
		return err
	}
	one.WriteByte('\n')
	_, err := l.w.Write(one.Bytes())
	return err
}

// export writes each range as it was at one LSN. All cuts begin before the first document is written.
func (s *Service) export(ctx context.Context, ref ContainerRef, out *lines) (err error) {
	_, con, err := s.find(ctx, ref)
	if err != nil {
		return err
	}
	var cuts []*items.Cut
	defer func() {
		for _, c := range cuts {
			if e := c.End(context.WithoutCancel(ctx)); e != nil && !items.Moved(e) {
				err = errors.Join(err, e)
			}
		}
	}()
	var at []string
	for _, r := range con.Ranges {
		c, err := s.items.BeginCut(ctx, con.Items(r))
		if err != nil {
			return moved(err)
		}
		cuts = append(cuts, c)
		at = append(at, fmt.Sprintf("%s:-1#%d", r.ID, c.LSN))
	}
	out.w.Header().Set(cutHeader, strings.Join(at, ","))
	out.w.Header().Set("Content-Type", "application/x-ndjson")
	for _, c := range cuts {
		if err := c.Read(ctx, out.write); err != nil {
			return moved(err)
		}
	}
	return nil
}

// moved words what a split does to an export.
func moved(err error) error {
	if items.Moved(err) {
		return fault.New(fault.Conflict, "Conflict", "A partition key range of the container was split meanwhile. Export again.").WithCause(err)
	}
	return err
}

// ImportResult says what an import did.
type ImportResult struct {
	Created  int `json:"created"`
	Replaced int `json:"replaced"`
	// Failed are the lines that could not be imported, the first of them only.
	Failed      []FailedLine `json:"failed,omitempty"`
	FailedCount int          `json:"failedCount"`
}

// FailedLine is a line of an import that was refused, counted from 1.
type FailedLine struct {
	Line  int    `json:"line"`
	Error string `json:"error"`
}

const maxFailedLines = 20

// importRoute writes JSON lines into a container.
func (s *Service) importRoute() wire.Route {
	return wire.Route{
		Host: wire.HostAdmin, Method: "POST", Pattern: "/cosmos/import", Operation: "ImportContainer", Auth: wire.Anonymous, BodyLimit: -1,
		Raw: func(w http.ResponseWriter, r *wire.Request) error {
			out, err := s.load(r.HTTP.Context(), ContainerRef{r.Query("account"), r.Query("database"), r.Query("container")}, r.HTTP.Body)
			if err != nil {
				return err
			}
			w.Header().Set("Content-Type", "application/json")
			return json.NewEncoder(w).Encode(out)
		},
	}
}

// load upserts each line's document, so that it may run again. Documents get new resource ids, etags and times.
func (s *Service) load(ctx context.Context, ref ContainerRef, in io.Reader) (*ImportResult, error) {
	acct, con, err := s.find(ctx, ref)
	if err != nil {
		return nil, err
	}
	out := &ImportResult{}
	scan := bufio.NewScanner(in)
	scan.Buffer(make([]byte, 0, 64<<10), maxLine)
	line := 0
	for scan.Scan() {
		line++
		text := bytes.TrimSpace(scan.Bytes())
		if len(text) == 0 {
			continue
		}
		w, err := importWrite(con, text)
		var o []items.Outcome
		if err == nil {
			o, err = s.applyAnywhere(ctx, acct, ref, &con, w)
		}
		switch {
		case err != nil && !isFault(err):
			return nil, fmt.Errorf("line %d: %w", line, err)
		case err != nil:
			if out.FailedCount++; len(out.Failed) < maxFailedLines {
				out.Failed = append(out.Failed, FailedLine{line, fault.As(err).Message})
			}
		case o[0].Created:
			out.Created++
		default:
			out.Replaced++
		}
	}
	if errors.Is(scan.Err(), bufio.ErrTooLong) {
		return nil, fault.New(fault.Invalid, "BadRequest", "Line %d is longer than a document can be.", line+1)
	}
	return out, scan.Err()
}

func isFault(err error) bool {
	var f *fault.Error
	return errors.As(err, &f) && f.Kind.Status() < 500
}

func importWrite(con *catalog.Container, text []byte) (items.Write, error) {
	doc, err := items.Parse(bytes.Clone(text))
	if err != nil {
		return items.Write{}, err
	}
	key, err := pkey.Extract(doc.Text, con.PartitionKey.Paths)
	if err != nil {
		return items.Write{}, err
	}
	return items.Write{Op: items.Upsert, EPK: key.EPK(*con.PartitionKey), ID: doc.ID, Doc: doc}, nil
}

// applyAnywhere writes into the range that has the document, also when a split moves it meanwhile.
func (s *Service) applyAnywhere(ctx context.Context, acct string, ref ContainerRef, con **catalog.Container, w items.Write) ([]items.Outcome, error) {
	for {
		seen, err := s.catalog.LSN(ctx, acct)
		if err != nil {
			return nil, err
		}
		out, _, err := s.items.Apply(ctx, (*con).At(w.EPK), s.deps.Clock.Now(), []items.Write{w})
		if !items.Moved(err) {
			var failed *items.FailedWrite
			if errors.As(err, &failed) {
				err = failed.Err
			}
			return out, err
		}
		old := (*con).Routing
		if _, *con, err = s.find(ctx, ref); err != nil {
			return nil, err
		}
		if (*con).Routing == old {
			if err := s.catalog.Await(ctx, acct, seen); err != nil {
				return nil, err
			}
		}
	}
}
