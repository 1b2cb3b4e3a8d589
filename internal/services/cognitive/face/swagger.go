package face

import (
	_ "embed"

	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/api"
)

//go:embed face-v1.0.json
var swagger []byte

// document describes the API.
func document() api.Document {
	return api.Document{Name: "face-v1.0", Title: "Face API 1.0", JSON: swagger}
}
