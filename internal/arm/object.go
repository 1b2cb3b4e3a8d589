package arm

import "encoding/json"

// Object is a JSON object as a client sent it: keys in the client's casing, looked up in any case (ARM bodies are read leniently).
type Object map[string]json.RawMessage
