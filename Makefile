# make lists the targets; each says what it does.
SHELL := /bin/bash
GO ?= go
BIN := bin/bulkhead
export CGO_ENABLED := 0

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

.PHONY: build
build: ## build bin/bulkhead
	$(GO) build -o $(BIN) ./cmd/bulkhead

.PHONY: run
run: build ## build and start everything on ./bulkhead-data, with a demo to look at
	scripts/run $(BIN)

.PHONY: test
test: ## everything CI runs: lint, unit, wire exchanges, real clients, short fuzz and benchmarks
	scripts/test

.PHONY: unit
unit: ## unit tests and wire exchanges of all modules, with the race detector
	scripts/test unit

.PHONY: e2e
e2e: ## real clients against the running binary
	scripts/test e2e

.PHONY: image
image: ## container images of the Cognitive Services containers into images/, without a container engine
	scripts/image

.PHONY: suites
suites: build ## public test suites of Cosmos DB's clients, fetched, against a fresh platform
	scripts/suites

.PHONY: parity
parity: ## docs/parity.md anew, from the last run of the real clients
	cd e2e && $(GO) run ./parity -calls ../.test/parity -write ../docs/parity.md

.PHONY: bench
bench: ## the figures of docs/performance.md, side by side with peers
	scripts/bench

.PHONY: profile
profile: build ## cmd/bulkhead/default.pgo anew, by which the compiler knows the hot paths
	cd bench && $(GO) run . -bin ../$(BIN) -rounds 1 -profile ../cmd/bulkhead/default.pgo

.PHONY: soak
soak: ## the long loops: 1,000 kills, hours of load
	scripts/soak

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (default 2m) each
	scripts/fuzz $${FUZZTIME:-2m}

.PHONY: lint
lint: ## gofumpt, go vet (linux, darwin, windows), staticcheck
	scripts/lint

.PHONY: fmt
fmt: ## format the code
	$(GO) tool -modfile=tools/go.mod gofumpt -w $$(git ls-files '*.go')
