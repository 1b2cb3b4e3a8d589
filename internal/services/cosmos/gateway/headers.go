package gateway

import (
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
)

// Values that are the same in all answers. Shared by them: never changed.
var (
	schemaVersion  = []string{"1.18"}
	serviceVersion = []string{"version=2.14.0.0"}
	gatewayVersion = []string{"version=2.14.0"}
	rangeZero      = []string{"0"}
	resourceQuota  = []string{"documentSize=51200;documentsSize=52428800;documentsCount=-1;collectionSize=52428800;"}
)

// setCharge sets what every successful answer carries.
func (c *call) setCharge(charge float64) {
	c.charge = charge
	c.SetHeader("X-Ms-Request-Charge", formatCharge(charge))
	c.ShareHeader("X-Ms-Schemaversion", schemaVersion)
	c.ShareHeader("X-Ms-Serviceversion", serviceVersion)
	c.ShareHeader("X-Ms-Gatewayversion", gatewayVersion)
}

// setRange sets what an answer about documents says of their range.
func (c *call) setRange(con *catalog.Container, s items.State) {
	lsn := strconv.FormatUint(uint64(s.LSN), 10)
	c.SetHeader("X-Ms-Session-Token", "0:-1#"+lsn)
	c.SetHeader("Lsn", lsn)
	c.SetHeader("X-Ms-Global-Committed-Lsn", lsn)
	c.ShareHeader("X-Ms-Documentdb-Partitionkeyrangeid", rangeZero)
	c.ShareHeader("X-Ms-Content-Path", con.Derived.ContentPath)
	c.ShareHeader("X-Ms-Alt-Content-Path", con.Derived.AltContentPath)
}

// setUsage sets how full the range is, in kilobytes.
func (c *call) setUsage(u items.Usage) {
	kb := strconv.FormatUint(u.Bytes>>10, 10)
	c.ShareHeader("X-Ms-Resource-Quota", resourceQuota)
	c.SetHeader("X-Ms-Resource-Usage", "documentSize=0;documentsSize="+kb+";documentsCount="+strconv.FormatUint(u.Documents, 10)+";collectionSize="+kb+";")
}

// checkSession refuses a read that asks for a later state of the range than there is.
func (c *call) checkSession(s items.State) error {
	token := c.header("X-Ms-Session-Token")
	if token == "" {
		return nil
	}
	want, ok := sessionLSN(token)
	if !ok {
		return invalid("The session token '%s' is invalid.", token)
	}
	if want <= uint64(s.LSN) {
		return nil
	}
	return withSub(fault.New(fault.NotFound, "NotFound", "The read session is not available for the input session token."), subReadSession)
}

// sessionLSN finds what a session token says of range 0: `0:-1#7`, `0:2#7#1=6`, `0:7`, several joined by commas.
func sessionLSN(token string) (lsn uint64, ok bool) {
	for part := range strings.SplitSeq(token, ",") {
		id, rest, found := strings.Cut(strings.TrimSpace(part), ":")
		if !found {
			return 0, false
		}
		global := rest
		if _, after, vector := strings.Cut(rest, "#"); vector {
			global, _, _ = strings.Cut(after, "#")
		}
		n, err := strconv.ParseUint(global, 10, 64)
		if err != nil {
			return 0, false
		}
		if id == "0" {
			lsn = max(lsn, n)
		}
	}
	return lsn, true
}

// levels are the consistency levels, the weakest first.
var levels = []string{"Eventual", "ConsistentPrefix", "Session", "BoundedStaleness", "Strong"}

// consistency gives the level a read is made at; a request may only ask for a weaker one than the account's.
func (c *call) consistency() (string, error) {
	have := c.account.Consistency
	want := c.header("X-Ms-Consistency-Level")
	if want == "" {
		return have, nil
	}
	i, j := levelOf(want), levelOf(have)
	if i < 0 {
		return "", invalid("The consistency level '%s' is invalid.", want)
	}
	if i > j {
		return "", invalid("ConsistencyLevel %s specified in the request is invalid when service is configured with consistency level %s. Ensure the request consistency level is not stronger than the service consistency level.", want, have)
	}
	return levels[i], nil
}

func levelOf(name string) int {
	for i, l := range levels {
		if strings.EqualFold(l, name) {
			return i
		}
	}
	return -1
}
