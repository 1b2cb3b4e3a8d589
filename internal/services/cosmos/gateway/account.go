package gateway

import (
	"context"

	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// accountBody is the answer to a read of the account, from which SDKs learn where to send what follows.
type accountBody struct {
	Self              string      `json:"_self"`
	ID                string      `json:"id"`
	RID               string      `json:"_rid"`
	Media             string      `json:"media"`
	Addresses         string      `json:"addresses"`
	Databases         string      `json:"_dbs"`
	Writable          []location  `json:"writableLocations"`
	Readable          []location  `json:"readableLocations"`
	MultipleWrite     bool        `json:"enableMultipleWriteLocations"`
	ContinuousBackup  bool        `json:"continuousBackupEnabled"`
	SynchronousCommit bool        `json:"enableNRegionSynchronousCommit"`
	PartitionFailover bool        `json:"enablePerPartitionFailoverBehavior"`
	UserReplication   replication `json:"userReplicationPolicy"`
	Consistency       consistency `json:"userConsistencyPolicy"`
	SystemReplication replication `json:"systemReplicationPolicy"`
	ReadPolicy        readPolicy  `json:"readPolicy"`
	QueryEngine       string      `json:"queryEngineConfiguration"`
}

type location struct {
	Name     string `json:"name"`
	Endpoint string `json:"databaseAccountEndpoint"`
}

type replication struct {
	Async bool `json:"asyncReplication"`
	Min   int  `json:"minReplicaSetSize"`
	Max   int  `json:"maxReplicasetSize"`
}

type consistency struct {
	Level string `json:"defaultConsistencyLevel"`
}

type readPolicy struct {
	Primary   int `json:"primaryReadCoefficient"`
	Secondary int `json:"secondaryReadCoefficient"`
}

// queryEngine tells SDKs what the query engine can do.
const queryEngine = `{"maxSqlQueryInputLength":524288,"maxJoinsPerSqlQuery":10,"maxLogicalAndPerSqlQuery":2000,"maxLogicalOrPerSqlQuery":2000,"maxUdfRefPerSqlQuery":10,` +
	`"maxInExpressionItemsCount":16000,"queryMaxInMemorySortDocumentCount":500,"maxQueryRequestTimeoutFraction":0.9,"sqlAllowNonFiniteNumbers":false,` +
	`"sqlAllowAggregateFunctions":true,"sqlAllowSubQuery":true,"sqlAllowScalarSubQuery":true,"allowNewKeywords":true,"sqlAllowLike":true,"sqlAllowGroupByClause":true,` +
	`"maxSpatialQueryCells":12,"spatialMaxGeometryPointCount":256,"sqlDisableQueryILOptimization":false,"sqlDisableFilterPlanOptimization":false,"sqlAllowTop":true,"enableSpatialIndexing":false}`

// Endpoint is an account's URL by the way the client came in, as Azure writes it: with the port and a slash.
func Endpoint(r *wire.Request, name string) string {
	return EndpointFrom(r.Hosts, r.Host, name)
}

// EndpointFrom is Endpoint for a client that came in by way of from.
func EndpointFrom(hosts wire.Hosts, from wire.Host, name string) string {
	if from.Local {
		return emulatorEndpoint(from.Text)
	}
	url := hosts.URL(from, wire.HostCosmos, name)
	for i := len(url) - 1; i > 0 && url[i] != '/'; i-- {
		if url[i] == ':' {
			return url + "/"
		}
	}
	return url + ":443/"
}

func (g *Gateway) readAccount(_ context.Context, c *call) (any, error) {
	at := []location{{c.account.Location, Endpoint(c.Request, c.account.Name)}}
	one := replication{Min: 1, Max: 1}
	c.setCharge(chargeMetadataRead)
	return &accountBody{
		ID: c.account.Name, RID: c.account.Name + ".documents.azure.com", Media: "//media/", Addresses: "//addresses/", Databases: "//dbs/",
		Writable: at, Readable: at, UserReplication: one, SystemReplication: one,
		Consistency: consistency{c.account.Consistency}, ReadPolicy: readPolicy{1, 1}, QueryEngine: queryEngine,
	}, nil
}
