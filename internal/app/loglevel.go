package app

import (
	"context"
	"log/slog"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// logLevel is the body of the admin route /log-level, both ways.
type logLevel struct {
	Level string `json:"level"` // debug, info, warn, error
}

var errNoLevel = fault.New(fault.Conflict, "LogLevelFixed", "This platform was started with a log whose level can't be changed.")

func (p *Platform) getLogLevel(context.Context, *wire.Request) (any, error) {
	if p.cfg.Level == nil {
		return nil, errNoLevel
	}
	return logLevel{levelName(p.cfg.Level.Level())}, nil
}

// putLogLevel changes the level until the next start.
func (p *Platform) putLogLevel(_ context.Context, r *wire.Request) (any, error) {
	var in logLevel
	if err := wire.Bind(r, &in); err != nil {
		return nil, err
	}
	if p.cfg.Level == nil {
		return nil, errNoLevel
	}
	level, ok := ParseLevel(in.Level)
	if !ok {
		return nil, fault.New(fault.Invalid, "InvalidLogLevel", "The log level %q is none of debug, info, warn and error.", in.Level)
	}
	if before := p.cfg.Level.Level(); before != level {
		p.cfg.Level.Set(min(before, level)) // so that the change itself is told
		p.log.Info("log level changed", "from", levelName(before), "to", levelName(level))
		p.cfg.Level.Set(level)
	}
	return logLevel{levelName(level)}, nil
}

var levels = []struct {
	name  string
	level slog.Level
}{{"debug", slog.LevelDebug}, {"info", slog.LevelInfo}, {"warn", slog.LevelWarn}, {"error", slog.LevelError}}

// ParseLevel is the log level of that name: debug, info, warn or error.
func ParseLevel(name string) (slog.Level, bool) {
	for _, l := range levels {
		if l.name == name {
			return l.level, true
		}
	}
	return 0, false
}

func levelName(level slog.Level) string {
	for _, l := range levels {
		if l.level == level {
			return l.name
		}
	}
	return level.String()
}
