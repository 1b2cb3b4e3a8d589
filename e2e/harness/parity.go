package harness

import (
	"bufio"
	"encoding/json"
	"os"
)

// ledgerVariable names the folder where platforms leave which client called which operation, with what success. e2e/parity makes a table of it.
const ledgerVariable = "BULKHEAD_PARITY"

// Call is one line of the ledger: an operation as one client called it.
type Call struct {
	Service, Operation, Agent string
	Status                    int
}

// ledger writes the platform's distinct calls, one JSON object a line, if the variable is set. Calls of the test's own hands (no agent) are left out.
func (p *Platform) ledger() error {
	dir := os.Getenv(ledgerVariable)
	if dir == "" {
		return nil
	}
	in, err := os.Open(p.Log)
	if err != nil {
		return err
	}
	defer in.Close()
	calls := map[Call]bool{}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e struct {
			Msg, Service, Operation string
			Agent                   string `json:"user_agent"`
			Status                  int
		}
		if json.Unmarshal(lines.Bytes(), &e) == nil && e.Msg == "request" && e.Operation != "" && e.Agent != "" {
			calls[Call{e.Service, e.Operation, e.Agent, e.Status}] = true
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	out, err := os.CreateTemp(dir, "calls-*.jsonl")
	if err != nil {
		return err
	}
	enc := json.NewEncoder(out)
	for c := range calls {
		if err := enc.Encode(c); err != nil {
			return err
		}
	}
	return out.Close()
}
