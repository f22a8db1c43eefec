# `make` alone lists what there is to do.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
export PYTHON
BIN := .venv/bin
OPA = "$$($(BIN)/python -c 'from aegis_authz.local.servers import find_opa; print(find_opa())')"
REGO_COVERAGE := 100

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-20s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Install everything: .venv with Envoy and Redis, and OPA in the user's cache
	@$(MAKE) --no-print-directory -j2 packages opa
	@$(BIN)/python -m aegis_authz.local.install

.PHONY: packages
packages: .venv/.installed
	@:

.venv/.installed: requirements/dev.txt requirements/uv.txt pyproject.toml scripts/packages
	@scripts/packages
	@touch $@

# A bare Python and the standard library: compiled while the packages are installed.
# exec: what ends make must reach the installer, not a shell around it.
.PHONY: opa
opa:
	@exec env PYTHONPATH=src PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m aegis_authz.local.install --opa

.PHONY: demo
demo: setup ## Play the whole scenario on a mesh of its own, real Envoy, OPA and Redis
	@$(BIN)/aegis demo

# Two workers; what shares a server stays together (tests/conftest.py). One hash seed, another in each run: both
# workers must find the same tests in the same order.
PYTEST = PYTHONHASHSEED=$$$$ $(BIN)/python -m pytest
SIDE_BY_SIDE := -n 2 --dist loadscope --no-loadscope-reorder

.PHONY: test
test: setup ## Run the tests, those with the real servers included; ARGS="-k name" for some of them
	@$(PYTEST) -m "not slow" $(SIDE_BY_SIDE) $(ARGS)

.PHONY: test-all
test-all: setup rego ## Run every test, the slow ones and those of the Rego included
	@$(PYTEST) $(SIDE_BY_SIDE) $(ARGS)

.PHONY: test-sdk
test-sdk: setup .venv/.sdk/.installed ## Test the SDKs, Python's with the frameworks it has adapters for, and Node's (from npm: its compiler)
	@$(PYTEST) -rs sdk $(ARGS)

# Frameworks are installed beside .venv's own packages, for their pins are not ours.
.venv/.sdk/.installed: requirements/sdk-frameworks.txt requirements/sdk-crewai.txt requirements/sdk-mcp1.txt scripts/sdk-frameworks .venv/.installed
	@scripts/sdk-frameworks
	@touch $@

.PHONY: docs-sdk
docs-sdk: setup .venv/.sdk/.installed ## Play the cases of sdk/conformance with every client and adapter, and write the table of docs/sdk.md
	@AEGIS_WRITE_DOCS=1 $(PYTEST) -rs sdk -k conformance $(ARGS)

.PHONY: dist
dist: setup ## Build what is published into dist, and look into each package
	@$(BIN)/python -m scripts.dist

# Skipped where there is no root or no nft, and says so: -rs.
.PHONY: test-bypass
test-bypass: setup ## Try every way around the gateway, in network namespaces; needs root, nftables and iproute2
	@$(PYTEST) -rs tests/bypass $(ARGS)

.PHONY: test-compose
test-compose: setup ## Build the images and try docker-compose.yml on a real engine, as root; says what it needs
	@$(PYTEST) -rs tests/deploy/test_compose*.py tests/deploy/test_image_files.py $(ARGS)

.PHONY: test-deploy
test-deploy: setup ## The chart, compose, Terraform, the images and ways around: what can be tried here, and what each skip needs
	@$(PYTEST) -rs tests/deploy tests/bypass $(ARGS)

.PHONY: compiled
compiled: setup ## Compile the modules that a call passes into .venv, by mypyc and a C compiler; the sources stay
	@scripts/compiled

.PHONY: interpreted
interpreted: setup ## Remove what `make compiled` installed
	@rm -rf .venv/.native
	@$$(uv --version >/dev/null 2>&1 && echo uv || echo .venv/.uv/bin/uv) pip uninstall --quiet --python $(BIN)/python aegis-authz-native

# Rooms with compiled modules, and what plays all of them together: faults, attacks, what is judged is forwarded.
COMPILED_SUITES := $(addprefix tests/,adapters/batching adapters/opa adapters/redis check contract core differential \
	encoding evidence identity limits server telemetry wire e2e/test_attacks.py e2e/test_fail_closed.py test_native.py)

.PHONY: test-compiled
test-compiled: compiled ## Run the suites of what is compiled with the compiled modules, in the tests and in workers
	@AEGIS_NATIVE=required $(PYTEST) -m "not slow" $(SIDE_BY_SIDE) $(COMPILED_SUITES) $(ARGS)

.PHONY: bench-native
bench-native: setup ## What a decision costs compiled and by the sources, and of equal work with the Go peer
	@$(BIN)/python -m benchmarks.native $(ARGS)

.PHONY: bench
bench: setup ## Measure decisions against the peers, in one run; ARGS="--rounds 9" for more
	@$(BIN)/python -m benchmarks $(ARGS)

.PHONY: bench-quick
bench-quick: setup ## The contenders that matter, in under two minutes
	@$(BIN)/python -m benchmarks --quick $(ARGS)

.PHONY: bench-flat
bench-flat: setup ## What a decision costs with 10 to 10,000 policies and 1 to 10,000 agents
	@$(BIN)/python -m benchmarks.flat $(ARGS)

.PHONY: bench-mix
bench-mix: setup ## What a decision costs on a mix of 200 routes and 500 agents against the Go peer, caches cold and hot
	@$(BIN)/python -m benchmarks.mix $(ARGS)

.PHONY: bench-idle
bench-idle: setup ## What a mesh costs that nobody calls
	@$(BIN)/python -m benchmarks.idle $(ARGS)

.PHONY: bench-bodies
bench-bodies: setup ## What a form or a body of parts costs to read, beside JSON; ARGS=--write for the page
	@$(BIN)/python -m benchmarks.bodies $(ARGS)

.PHONY: bench-interception
bench-interception: setup ## What it costs to open HTTPS, in handshakes a second; ARGS=--write for the page
	@$(BIN)/python -m benchmarks.interception $(ARGS)

.PHONY: bench-redaction
bench-redaction: setup ## What redaction costs a KiB, for each kind of body and each detector; ARGS=--write for the page
	@$(BIN)/python -m benchmarks.redaction $(ARGS)

.PHONY: bench-worst
bench-worst: setup ## The dearest input of every reader, detector and condition, beside plain JSON; ARGS=--write-docs for the page
	@$(BIN)/python -m benchmarks.worst $(ARGS)

.PHONY: bench-scale
bench-scale: setup ## What a second authorizer adds, each held to a share of a core; as root; ARGS=--write for the page
	@$(BIN)/python -m benchmarks.scale $(ARGS)

.PHONY: soak
soak: setup ## Ten minutes of load: memory, files, keys and latency must stay flat; ARGS="--minutes 60" for more
	@$(BIN)/python -m benchmarks.soak $(ARGS)

.PHONY: rego
rego: setup ## Check and test the Rego library; its tests must reach every line
	@$(MAKE) --no-print-directory check-rego

# The longest first: mypy on one core, all the others on the second.
CHECKS := check-types check-lint check-format check-imports check-rego check-audit

.PHONY: check
check: setup ## Lint, check format, types, imports and Rego, and audit the locked packages
	@$(MAKE) --no-print-directory --keep-going -j2 --output-sync=target $(CHECKS)

.PHONY: $(CHECKS)
check-types:
	@$(BIN)/mypy
check-lint:
	@$(BIN)/ruff check .
check-format:
	@$(BIN)/ruff format --check .
check-imports:
	@$(BIN)/lint-imports --no-logo
check-rego:
	@$(OPA) check --strict rego
	@$(OPA) fmt --diff --fail rego
	@$(OPA) test rego
	@$(OPA) test --coverage --threshold $(REGO_COVERAGE) rego >/dev/null
check-audit:
	@scripts/audit

.PHONY: format
format: setup ## Sort imports and format Python and Rego
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(OPA) fmt --write rego

.PHONY: envoy-config
envoy-config: setup ## Write deploy/envoy/*.yaml from the settings
	@$(BIN)/python -m aegis_authz.proxy deploy/envoy

.PHONY: chart-renders
chart-renders: setup ## Render the chart for each set of values that its tests read (needs helm)
	@AEGIS_WRITE_DOCS=1 $(BIN)/python -m pytest -q tests/deploy/test_chart_renders.py

.PHONY: docs-fail-closed
docs-fail-closed: setup ## Break a mesh in every way there is and write docs/fail-closed.md
	@AEGIS_WRITE_DOCS=1 $(BIN)/python -m pytest -q tests/e2e/test_fail_closed.py

.PHONY: docs-console
docs-console: setup ## Use the console in Debian's chromium and write docs/images/console
	@AEGIS_WRITE_DOCS=1 $(BIN)/python -m pytest -q tests/e2e/test_console*.py tests/e2e/test_costs.py tests/e2e/test_dashboard_pictures.py

.PHONY: docs-dashboards
docs-dashboards: setup ## Play the use cases before a real Prometheus and draw docs/images/dashboards
	@AEGIS_WRITE_DOCS=1 $(BIN)/python -m pytest -q -rs tests/e2e/test_dashboard_pictures.py

.PHONY: docs-judged
docs-judged: setup ## Send every odd request through the real Envoy and write docs/judged-is-forwarded.md
	@AEGIS_WRITE_DOCS=1 $(BIN)/python -m pytest -q tests/differential

.PHONY: conformance
conformance: setup ## Run the official MCP conformance suite (from npm) through a mesh, and write its table in docs/mcp.md
	@AEGIS_WRITE_DOCS=1 $(BIN)/python -m pytest -q tests/e2e/test_mcp_conformance.py tests/e2e/test_mcp_stock_clients.py $(ARGS)

.PHONY: docs-architecture
docs-architecture: setup ## Draw docs/architecture.svg and list the rooms from the import contract
	@$(BIN)/python scripts/architecture.py

.PHONY: docs-api
docs-api: setup ## Write docs/api/openapi.json from the routes of the control plane
	@AEGIS_WRITE_DOCS=1 $(BIN)/python -m pytest -q tests/control/test_openapi.py

.PHONY: docs-people
docs-people: setup ## Write the table of docs/people.md from the permissions of roles
	@AEGIS_WRITE_DOCS=1 $(BIN)/python -m pytest -q tests/docs/test_people_page.py

.PHONY: docs-metrics
docs-metrics: setup ## Write the tables of docs/metrics.md from the metrics themselves
	@AEGIS_WRITE_DOCS=1 $(BIN)/python -m pytest -q tests/docs/test_metrics_page.py

.PHONY: docs-controls
docs-controls: setup ## Write docs/controls.md, what shows that a control of a framework is met, from docs/controls.toml
	@$(BIN)/python -m scripts.controls

.PHONY: docs-sizing
docs-sizing: setup ## Write the figures of `aegis size` and docs/sizing.md from docs/performance.md and benchmarks.footprint
	@$(BIN)/python -m scripts.sizing

.PHONY: sigma
sigma: .venv/.sigma/.installed ## Compile the rules of deploy/sigma for Splunk, Elastic, Prometheus and SQLite
	@.venv/.sigma/bin/python -m scripts.sigma $(ARGS)

.venv/.sigma/.installed: requirements/sigma.txt
	@$(PYTHON) -m venv .venv/.sigma
	@.venv/.sigma/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/sigma.txt
	@touch $@

.PHONY: lock
lock: setup ## Lock the versions of pyproject.toml; ARGS="--upgrade" takes the newest
	@scripts/lock $(ARGS)

.PHONY: clean
clean: ## Remove what was built here; the OPA in the user's cache stays
	@rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .grimp_cache
	@find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
