package gateway

import (
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
)

// Values that are the same in all answers. Shared by them: never changed.
var (
	schemaVersion  = []string{"1.18"}
	serviceVersion = []string{"version=2.14.0.0"}
	gatewayVersion = []string{"version=2.14.0"}
	rangeZero      = []string{"0"}
)

// setCharge sets what every successful answer carries.
func (c *call) setCharge(charge float64) {
	c.charge = charge
	c.SetHeader("X-Ms-Request-Charge", formatCharge(charge))
	c.ShareHeader("X-Ms-Schemaversion", schemaVersion)
	c.ShareHeader("X-Ms-Serviceversion", serviceVersion)
	c.ShareHeader("X-Ms-Gatewayversion", gatewayVersion)
}

// setUsage sets how full the range is, in kilobytes, and how full it may get.
func (c *call) setUsage(con *catalog.Container, u items.Usage) {
	kb := strconv.FormatUint(u.Bytes>>10, 10)
	c.ShareHeader("X-Ms-Resource-Quota", con.Derived.Quota)
	c.SetHeader("X-Ms-Resource-Usage", "documentSize=0;documentsSize="+kb+";documentsCount="+strconv.FormatUint(u.Documents, 10)+";collectionSize="+kb+";")
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
