# Everything from nothing but Python (3.11 or later) and make. `make help` lists the rest.

PYTHON ?= python3
ORDERS ?= 10000
SEED ?= 7
KILLS ?= 200
DATE ?= 2026-11-22

BIN := .venv/bin
UV := .uv/bin/uv
READY := .venv/.ready
SYNC := UV_PYTHON=.uv/bin/python UV_PYTHON_DOWNLOADS=never $(UV) sync --frozen --compile-bytecode

PYTEST := $(BIN)/pytest -n 2
# Tests of servers, addresses and files, which the other lane has run: what they do with kernels is done elsewhere too.
NO_KERNELS := web_ console_ store_database store_server store_places store_backup store_staff prospectus_pages plan_form \
    service_access service_endpoint service_webhooks service_staff service_members service_drafts service_jobs service_work service_seal \
    service_copies service_meters service_today service_imports cli_live cli_serving torture

.DEFAULT_GOAL := help
.PHONY: help demo example prospectus browser test test-nojit test-bounds check bench torture fuzz screenshots golden clean

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY)  ## a real service on a real database for a minute: orders stream in, and all of it is proved
	@$(BIN)/rangli demo

example: $(READY)  ## write an example world into build/example (ORDERS=10000 SEED=7)
	@$(BIN)/rangli example --orders $(ORDERS) --shops 50 --seed $(SEED) --out build/example

prospectus: $(READY)  ## write docs/prospectus: what each model comes to in the default scenario (DATE=2026-11-22)
	@for plan in weituanbao moudian zengzhi; do \
	    $(BIN)/rangli prospectus $$plan --date $(DATE) --out docs/prospectus/$$plan.html || exit 1; \
	done

test: $(READY) browser  ## unit tests, properties and doctests; no network, warnings are errors
	@$(PYTEST)

test-nojit: $(READY)  ## the same tests with kernels as plain Python: an int64 overflow is a failing warning
	@NUMBA_DISABLE_JIT=1 $(PYTEST) $(addprefix --ignore-glob=tests/test_,$(addsuffix *.py,$(NO_KERNELS)))

test-bounds: $(READY)  ## the same tests, smaller, with every array index of a kernel checked
	@NUMBA_BOUNDSCHECK=1 HYPOTHESIS_PROFILE=small $(PYTEST) tests

check: $(READY)  ## format, lint, types, layers, house rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/pytest -q tests/test_tidy.py

bench: $(READY)  ## measure kernels, main job and live service beside C, raw COPY, the oracle and an ORM
	@$(BIN)/python -m bench
	@$(BIN)/python -m bench.live
	@$(BIN)/python -m bench.lab
	@$(BIN)/python -m bench.console

torture: $(READY)  ## kill -9 of service and database at random under load, then verify (SEED=7 KILLS=200)
	@$(BIN)/python tests/torture.py --seed $(SEED) --kills $(KILLS)

screenshots: $(READY) browser  ## pictures of every page of the console, into build/screenshots; the README's four into docs/pictures
	@$(BIN)/python tests/screenshots.py

fuzz: $(READY)  ## 100,000 fuzzed bodies and a long run of schemathesis against the API (SEED=7)
	@RANGLI_FUZZ_BODIES=100000 RANGLI_SCHEMATHESIS_CASES=300 RANGLI_FUZZ_SEED=$(SEED) $(BIN)/pytest -q tests/test_web_fuzz.py tests/test_web_schemathesis.py

golden: $(READY)  ## rewrite the golden files; read the difference like code
	@$(BIN)/pytest --golden tests

clean:  ## remove all that make has built, the environment too
	rm -rf .venv .uv .cache .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	find src tests bench -name __pycache__ -type d -prune -exec rm -rf {} +

# Debian's Chromium, for the tests that look at pages; where it cannot be had they are skipped and say so.
browser:
	@if ! command -v chromium >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing Chromium and Chinese fonts (once)"; \
	    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium fonts-noto-cjk; } \
	        >/dev/null 2>&1 || echo "They could not be had; pages will not be looked at"; \
	fi

# The environment: uv in a small one of its own, then exactly what uv.lock says. The stamps make later runs instant.

$(READY): pyproject.toml uv.lock $(UV)
	@echo "Preparing .venv from uv.lock (once)"
	@UV_PROJECT_ENVIRONMENT=.venv $(SYNC) --all-groups --quiet
	@touch $@

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit("Rangli needs Python 3.11 or later; try: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv .uv
	@.uv/bin/python -m pip install --quiet --disable-pip-version-check uv
	@touch $@
