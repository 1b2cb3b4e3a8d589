package vision

import (
	"context"
	_ "embed"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/infer/ocr"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/api"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Options are what the service needs. Store and Engine are required.
type Options struct {
	// Store gives where operations are kept, each time the same; a container has none until it is started.
	Store  func() (store.Store, error)
	Engine ocr.Engine
	Clock  clock.Clock
	Log    *slog.Logger
	// Fetch gets pictures that are named by an address; nil: such requests are refused.
	Fetch func(ctx context.Context, url string, most int64) ([]byte, error)
}

// Service reads text. Safe for concurrent use.
type Service struct {
	o    Options
	boot string // tells operations of this run from those that an earlier one left unfinished

	ctx     context.Context // of operations; ended by Close
	cancel  context.CancelFunc
	running sync.WaitGroup
	// room is for pages that are unpacked, in bytes: many small ones or few large ones at a time.
	room *semaphore.Weighted

	mu      sync.Mutex
	pending int64 // bytes of documents whose operations have not ended; guarded by mu
	closed  bool  // guarded by mu
}

const (
	// pendingMost bounds the documents that wait to be read.
	pendingMost = 256 << 20
	// roomMost bounds what pages take while they are read; a page takes half of it at most.
	roomMost = 1 << 30
	// bodyLimit is that of a document.
	bodyLimit = 50 << 20
	// bodyLimitText is that of Recognize Text.
	bodyLimitText = 4 << 20
	// kept is how long an operation is found.
	kept = 48 * time.Hour
)

// New makes the service. Close ends it.
func New(o Options) *Service {
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{o: o, boot: ids.New(), room: semaphore.NewWeighted(roomMost)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Close ends the operations that are under way and waits for them.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.running.Wait()
}

var (
	//go:embed recognize-text-v2.0.json
	recognizeTextDocument []byte
	//go:embed read-v2.0.json
	read2Document []byte
	//go:embed read-v3.2.json
	read3Document []byte
)

// forget drops an account's operations.
func (s *Service) forget(ctx context.Context, account string) error {
	st, err := s.o.Store()
	if err != nil {
		return err
	}
	return st.Drop(ctx, shard(account))
}

// API is the service as its hosts serve it.
func (s *Service) API() api.API {
	a := api.API{
		Name: "recognize-text", Title: "Recognize Text", Kinds: []string{"ComputerVision", "CognitiveServices"},
		Type: "computervision", Meter: "CognitiveServices.ComputerVision.Container.RecognizeText",
		Documents: []api.Document{
			{Name: "vision-v2.0-recognize-text", Title: "Recognize Text 2.0", JSON: recognizeTextDocument},
			{Name: "vision-v2.0-read", Title: "Read 2.0", JSON: read2Document},
			{Name: "vision-v3.2-read", Title: "Read 3.2", JSON: read3Document},
		},
		Open: func(ctx context.Context) error {
			if _, err := s.o.Store(); err != nil {
				return err
			}
			return s.o.Engine.Check(ctx, "")
		},
		Forget: s.forget,
	}
	add := func(method, pattern, operation, feature string, limit int64, handler func(context.Context, *api.Call) (any, error)) {
		action := "ComputerVision/read/action"
		if method == http.MethodGet {
			action, limit = "ComputerVision/read/read", -1
		}
		a.Routes = append(a.Routes, api.Route{Method: method, Pattern: pattern, Operation: operation, Action: action, Feature: feature, BodyLimit: limit, Handler: handler})
	}
	add("POST", "/vision/v2.0/recognizeText", "RecognizeText", "read", bodyLimitText, s.begin(recognize, "/vision/v2.0/textOperations/"))
	add("POST", "/vision/v2.0/recognizeTextDirect", "RecognizeTextDirect", "read", bodyLimitText, s.wait(recognize))
	add("GET", "/vision/v2.0/textOperations/{operationId}", "GetTextOperationResult", "operations", 0, s.result(recognize))
	for _, v := range []string{"/vision/v2.0", "/vision/v2.1"} {
		add("POST", v+"/read/core/asyncBatchAnalyze", "BatchReadFile", "read", bodyLimit, s.begin(read2, v+"/read/operations/"))
		add("POST", v+"/read/core/Analyze", "ReadDirect", "read", bodyLimit, s.wait(read2))
		add("GET", v+"/read/operations/{operationId}", "GetReadOperationResult", "operations", 0, s.result(read2))
	}
	add("POST", "/vision/v3.2/read/analyze", "Read", "read", bodyLimit, s.begin(read3, "/vision/v3.2/read/analyzeResults/"))
	add("POST", "/vision/v3.2/read/syncAnalyze", "ReadSync", "read", bodyLimit, s.wait(read3))
	add("GET", "/vision/v3.2/read/analyzeResults/{operationId}", "GetReadResult", "operations", 0, s.result(read3))
	add("GET", "/vision/v3.2/read/operations/{operationId}", "GetReadOperation", "operations", 0, s.result(read3))
	return a
}

// begin answers at once and reads afterwards.
func (s *Service) begin(f *form, results string) func(context.Context, *api.Call) (any, error) {
	return func(ctx context.Context, c *api.Call) (any, error) {
		j, err := s.job(ctx, c, f)
		if err != nil {
			return nil, err
		}
		id, err := s.start(ctx, c.Account, j)
		if err != nil {
			j.document.Close()
			return nil, err
		}
		c.Charge(len(j.pages))
		return accepted(c, results+id), nil
	}
}

// wait reads and answers what was read.
func (s *Service) wait(f *form) func(context.Context, *api.Call) (any, error) {
	return func(ctx context.Context, c *api.Call) (any, error) {
		j, err := s.job(ctx, c, f)
		if err != nil {
			return nil, err
		}
		defer j.document.Close()
		release, err := s.reserve(j.size)
		if err != nil {
			return nil, err
		}
		defer release()
		pages, err := s.read(ctx, j)
		if err != nil {
			return nil, f.fault(err)
		}
		c.Charge(len(j.pages))
		now := s.o.Clock.Now()
		return f.answer(record{Status: succeeded, Created: now, Updated: now, Pages: pages}), nil
	}
}

// reserve takes room for a document, until release.
func (s *Service) reserve(size int64) (release func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, fault.New(fault.Unavailable, "ServiceUnavailable", "The service is stopping.")
	case s.pending+size > pendingMost:
		f := fault.New(fault.TooMany, "TooManyRequests", "Documents of %d MB wait to be read already; try again later.", s.pending>>20)
		f.RetryAfter = time.Second
		return nil, f
	}
	s.pending += size
	s.running.Add(1)
	return func() {
		s.mu.Lock()
		s.pending -= size
		s.mu.Unlock()
		s.running.Done()
	}, nil
}

// read reads the pages of a job.
func (s *Service) read(ctx context.Context, j *job) ([]page, error) {
	pages := make([]page, len(j.pages))
	for i, n := range j.pages {
		got, err := s.readPage(ctx, j, n)
		if err != nil {
			return nil, err
		}
		pages[i] = page{Number: n + 1, DPI: j.document.DPI, Page: got}
	}
	return pages, nil
}

// readPage reads one page, once there is room for it.
func (s *Service) readPage(ctx context.Context, j *job, n int) (ocr.Page, error) {
	need := min(j.document.Memory, roomMost)
	if err := s.room.Acquire(ctx, need); err != nil {
		return ocr.Page{}, err
	}
	defer s.room.Release(need)
	picture, err := j.document.Page(ctx, n)
	if err != nil {
		return ocr.Page{}, err
	}
	return s.o.Engine.Read(ctx, picture, j.language)
}

var errCutOff = errors.New("the service was stopped while the document was read; send it again")
