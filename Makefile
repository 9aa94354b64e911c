# A newcomer needs Go, make, and two of these: `make run` and `make test`.
# Everything else that they need, Go fetches.

.DEFAULT_GOAL := help
.PHONY: help run build test interop bench fuzz soak

# Further arguments for run and bench: make run ARGS=--help
ARGS ?=
# How long each fuzz target runs.
FUZZTIME ?= 30s

help: ## Show this list
	@awk -F ' ## ' '/^[a-z]+:.* ## / { sub(/:.*/, "", $$1); printf "make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Not `go run`, which does not pass on a SIGTERM.
run: build ## Start the service with a demo organization, on an embedded database and Redis
	@bin/rolesync serve --demo $(ARGS)

build: ## Build bin/rolesync, static
	CGO_ENABLED=0 go build -trimpath -o bin/rolesync ./cmd/rolesync

# The race detector needs a C compiler, and only it does.
test: ## Vet, staticcheck, and all tests under the race detector
	CGO_ENABLED=0 go vet ./...
	CGO_ENABLED=0 go tool staticcheck ./...
	@if printf '#include <stdlib.h>\n' | $$(go env CC) -fsyntax-only -x c - >/dev/null 2>&1; then \
		set -x; CGO_ENABLED=1 go test -race -timeout 20m ./...; \
	elif [ -n "$$CI" ] && [ "$$CI" != false ]; then \
		echo "There is no C compiler ($$(go env CC)), so no race detector: CI must have one." >&2; exit 1; \
	else \
		echo "There is no C compiler ($$(go env CC)): the tests run WITHOUT the race detector." >&2; \
		set -x; CGO_ENABLED=0 go test -timeout 20m ./...; \
	fi

interop: ## Sign in through real identity providers, each of which has to be installed
	ROLESYNC_TEST_ALL=1 CGO_ENABLED=0 go test -count=1 -v ./internal/interop

bench: ## Measure the figures of docs/benchmarks.md
	CGO_ENABLED=0 go run ./internal/bench $(ARGS)

fuzz: ## Run each fuzz target for FUZZTIME (30s)
	@set -e; packages=$$(go list ./...); \
	for package in $$packages; do \
		list=$$(go test -list '^Fuzz' $$package); \
		for target in $$(echo "$$list" | grep '^Fuzz'); do \
			echo "$$package $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package; \
		done; \
	done

soak: ## Try the parsers of SCIM on ten million mutated inputs
	ROLESYNC_MUTATIONS=10000000 go test -run TestParsersSurviveMutations -v -timeout 2h ./scim
