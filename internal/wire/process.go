package wire

import "context"

type processKey struct{}

// WithProcess marks ctx, and so every request on a connection made with it, as coming from the child process that runs as the resource with the ARM id
// identity: the proxy knows it by the process's own credentials.
func WithProcess(ctx context.Context, identity string) context.Context {
	return context.WithValue(ctx, processKey{}, identity)
}

// ProcessFrom returns what WithProcess put into ctx, or "".
func ProcessFrom(ctx context.Context) string {
	s, _ := ctx.Value(processKey{}).(string)
	return s
}
