package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
)

// Check is one background check: the document and what callers see.
type Check struct {
	ID        string    `json:"id"`
	Candidate string    `json:"candidate"`
	Position  string    `json:"position,omitempty"`
	Status    string    `json:"status"`
	Notes     string    `json:"notes,omitempty"`
	UpdatedBy string    `json:"updatedBy"` // client id of the application that wrote it
	UpdatedAt time.Time `json:"updatedAt"`
}

// statuses are what a check may be.
var statuses = []string{"requested", "running", "clear", "flagged"}

var checkID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

const (
	bodyLimit = 64 << 10
	pageSize  = 100
)

func badRequest(message string) error {
	return &fault{status: http.StatusBadRequest, Code: "BadRequest", Message: message}
}

// put stores a check, new or not.
func (s *Service) put(r *http.Request, caller *Caller) (*answer, error) {
	id := r.PathValue("id")
	if !checkID.MatchString(id) {
		return nil, badRequest("The id has 1 to 64 letters, digits, dots, dashes and underscores.")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, bodyLimit+1))
	if err != nil {
		return nil, badRequest("The body broke off.")
	}
	if len(body) > bodyLimit {
		return nil, &fault{status: http.StatusRequestEntityTooLarge, Code: "TooLarge", Message: "A check has at most 64 KiB."}
	}
	var check Check
	if json.Unmarshal(body, &check) != nil || strings.TrimSpace(check.Candidate) == "" {
		return nil, badRequest("The body is a JSON object with at least the candidate's name.")
	}
	if check.Status == "" {
		check.Status = statuses[0]
	}
	if !slices.Contains(statuses, check.Status) {
		return nil, badRequest("The status is one of " + strings.Join(statuses, ", ") + ".")
	}
	check.ID, check.UpdatedBy, check.UpdatedAt = id, caller.ClientID, time.Now().UTC()
	document, err := json.Marshal(check)
	if err != nil {
		return nil, err
	}
	container, err := s.Chain.Open(r.Context(), caller.Customer)
	if err != nil {
		return nil, err
	}
	done, err := container.UpsertItem(r.Context(), azcosmos.NewPartitionKeyString(id), document, nil)
	if err != nil {
		return nil, documents(err)
	}
	return &answer{status: done.RawResponse.StatusCode, body: check}, nil
}

func (s *Service) get(r *http.Request, caller *Caller) (*answer, error) {
	container, err := s.Chain.Open(r.Context(), caller.Customer)
	if err != nil {
		return nil, err
	}
	id := r.PathValue("id")
	got, err := container.ReadItem(r.Context(), azcosmos.NewPartitionKeyString(id), id, nil)
	if err != nil {
		return nil, documents(err)
	}
	var check Check
	if err := json.Unmarshal(got.Value, &check); err != nil {
		return nil, err
	}
	return &answer{status: http.StatusOK, body: check}, nil
}

func (s *Service) remove(r *http.Request, caller *Caller) (*answer, error) {
	container, err := s.Chain.Open(r.Context(), caller.Customer)
	if err != nil {
		return nil, err
	}
	id := r.PathValue("id")
	if _, err := container.DeleteItem(r.Context(), azcosmos.NewPartitionKeyString(id), id, nil); err != nil {
		return nil, documents(err)
	}
	return &answer{status: http.StatusNoContent}, nil
}

// page is one part of a list; Continuation asks for the next.
type page struct {
	Value        []Check `json:"value"`
	Continuation string  `json:"continuation,omitempty"`
}

// list answers the customer's checks, or those of one status.
func (s *Service) list(r *http.Request, caller *Caller) (*answer, error) {
	query, opts := "SELECT * FROM c", &azcosmos.QueryOptions{PageSizeHint: pageSize}
	if status := r.URL.Query().Get("status"); status != "" {
		query += " WHERE c.status = @status"
		opts.QueryParameters = []azcosmos.QueryParameter{{Name: "@status", Value: status}}
	}
	if token := r.URL.Query().Get("continuation"); token != "" {
		opts.ContinuationToken = &token
	}
	container, err := s.Chain.Open(r.Context(), caller.Customer)
	if err != nil {
		return nil, err
	}
	out := page{Value: []Check{}}
	pager := container.NewQueryItemsPager(query, azcosmos.NewPartitionKey(), opts)
	for len(out.Value) < pageSize && pager.More() {
		got, err := pager.NextPage(r.Context())
		if err != nil {
			return nil, documents(err)
		}
		for _, raw := range got.Items {
			var check Check
			if err := json.Unmarshal(raw, &check); err != nil {
				return nil, err
			}
			out.Value = append(out.Value, check)
		}
		out.Continuation = ""
		if got.ContinuationToken != nil {
			out.Continuation = *got.ContinuationToken
		}
	}
	return &answer{status: http.StatusOK, body: out}, nil
}

// documents tells a check that is not there from trouble with the account.
func documents(err error) error {
	var failed *azcore.ResponseError
	if errors.As(err, &failed) {
		switch failed.StatusCode {
		case http.StatusNotFound:
			return &fault{status: http.StatusNotFound, Code: "NotFound", Message: "There is no such check."}
		case http.StatusTooManyRequests:
			return &fault{status: http.StatusTooManyRequests, Code: "TooManyRequests", Message: "The customer's throughput is used up. Try again in a moment."}
		}
	}
	return &hopError{hop: hopDocuments, err: err}
}
