package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// hopError is a failure on the way to the documents.
type hopError struct {
	hop string
	err error
}

func (e *hopError) Error() string { return e.hop + ": " + e.reason() }
func (e *hopError) Unwrap() error { return e.err }

var (
	aadsts = regexp.MustCompile(`AADSTS\d+`)
	// azcosmos reads the account before its first operation and tells a failure of that as text only.
	response = regexp.MustCompile(`RESPONSE (\d{3}):`)
)

// answered is the status and error code of the answer that made the hop fail, 0 if there was none.
func (e *hopError) answered() (status int, code string) {
	var answer *azcore.ResponseError
	if errors.As(e.err, &answer) {
		return answer.StatusCode, answer.ErrorCode
	}
	if m := response.FindStringSubmatch(e.err.Error()); m != nil {
		status, _ = strconv.Atoi(m[1]) // three digits
	}
	return status, ""
}

// reason is what may be told of the failure: status and error code, never the text of a request or an answer, which may hold what must not be seen.
func (e *hopError) reason() string {
	var failed *azidentity.AuthenticationFailedError
	if errors.As(e.err, &failed) {
		text := "sign-in refused"
		if failed.RawResponse != nil {
			text += " with " + strconv.Itoa(failed.RawResponse.StatusCode)
		}
		if code := aadsts.FindString(failed.Error()); code != "" {
			text += " " + code
		}
		return text
	}
	if status, code := e.answered(); status != 0 {
		return strings.TrimSpace("answered " + strconv.Itoa(status) + " " + code)
	}
	text, _, _ := strings.Cut(e.err.Error(), "\n")
	return text
}

// status: a refusal by what the customer owns (the role on its account, the account's firewall) is 403; all else is this service's own trouble.
func (e *hopError) status() int {
	status, _ := e.answered()
	if status == http.StatusForbidden && (e.hop == hopManagement || e.hop == hopDocuments) {
		return http.StatusForbidden
	}
	return http.StatusBadGateway
}

// fault is an error the caller hears of.
type fault struct {
	status  int
	Code    string `json:"code"`
	Message string `json:"message"`
	Hop     string `json:"hop,omitempty"`
}

func (f *fault) Error() string { return f.Code + ": " + f.Message }

// faultOf turns any error into what its caller is told.
func faultOf(err error) *fault {
	var f *fault
	var hop *hopError
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &hop):
		return &fault{hop.status(), "HopFailed", "The customer's data cannot be reached: " + hop.Error() + ".", hop.hop}
	}
	return &fault{status: http.StatusInternalServerError, Code: "InternalError", Message: "Something went wrong here."}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // nobody is left to tell
}
