package catalog

import (
	"encoding/json"
	"math"
	"time"
)

// maxRetention is the longest a full-fidelity change feed is kept, in minutes: 30 days, as continuous backups are.
const maxRetention = 30 * 24 * 60

// feedPolicy is what counts of a changeFeedPolicy.
type feedPolicy struct {
	// Minutes is how long the full-fidelity change feed is kept; 0: there is none.
	Minutes float64 `json:"retentionDuration"`
}

// checkFeedPolicy refuses a changeFeedPolicy that means nothing.
func checkFeedPolicy(raw json.RawMessage) error {
	if !present(raw) {
		return nil
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return invalid("The changeFeedPolicy of the container is invalid; it is {\"retentionDuration\":minutes}.")
	}
	var p feedPolicy
	if json.Unmarshal(raw, &p) != nil || p.Minutes != math.Trunc(p.Minutes) || p.Minutes < 0 || p.Minutes > maxRetention {
		return invalid("The value '%.100s' of 'retentionDuration' in the container's changeFeedPolicy is invalid. It is a whole number of minutes from 0 to %d.", members["retentionDuration"], maxRetention)
	}
	return nil
}

// retention reads the changeFeedPolicy of a container's properties. One that an older version stored unchecked counts as none.
func retention(properties json.RawMessage) time.Duration {
	var p struct {
		Policy json.RawMessage `json:"changeFeedPolicy"`
	}
	var policy feedPolicy
	if json.Unmarshal(properties, &p) != nil || !present(p.Policy) || checkFeedPolicy(p.Policy) != nil || json.Unmarshal(p.Policy, &policy) != nil {
		return 0
	}
	return time.Duration(policy.Minutes) * time.Minute
}
