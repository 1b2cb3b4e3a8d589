package telemetry

// Check is one thing that has to be well. Run is quick and changes nothing; its error says what is wrong.
type Check struct {
	Name string
	Run  func() error
}

// Health is the result of checks.
type Health struct {
	Status string   `json:"status"` // "ok" or "failing"
	Checks []Result `json:"checks"`
}

// Result is that of one check.
type Result struct {
	Name    string `json:"name"`
	OK      bool   `json:"ok"`
	Message string `json:"message,omitempty"`
}

// Examine runs the checks.
func Examine(checks []Check) (h Health, ok bool) {
	h.Status, ok = "ok", true
	for _, c := range checks {
		r := Result{Name: c.Name, OK: true}
		if err := c.Run(); err != nil {
			r.OK, r.Message = false, err.Error()
			h.Status, ok = "failing", false
		}
		h.Checks = append(h.Checks, r)
	}
	return h, ok
}

// Failing are the checks that failed, each with what is wrong.
func (h Health) Failing() (out []string) {
	for _, r := range h.Checks {
		if !r.OK {
			out = append(out, r.Name+": "+r.Message)
		}
	}
	return out
}
