package gateway

import (
	"encoding/json"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
)

// DatabaseBody is a database as the data plane shows it, for the control plane to show the same.
func DatabaseBody(d *catalog.Database) json.RawMessage { return renderDatabase(d) }

// ContainerBody is a container as the data plane shows it.
func ContainerBody(c *catalog.Container) json.RawMessage { return renderContainer(c) }

// ScriptBody is a stored procedure, trigger or user-defined function as the data plane shows it.
func ScriptBody(s *catalog.Script) json.RawMessage { return renderScript(s) }
