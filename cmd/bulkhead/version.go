package main

import (
	"runtime/debug"

	"github.com/bulkheadhq/bulkhead/internal/app"
)

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return app.Release
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return app.Release + "+" + s.Value[:12]
		}
	}
	return app.Release
}
