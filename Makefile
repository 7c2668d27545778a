# What a person types. Everything happens in .venv, which is made once and filled again when a lock file changes: requirements/
# has the exact version and the hashes of every package, `make lock` renews them from the ranges of pyproject.toml.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BENCH_VENV := .venv-bench
LOCK_VENV := .venv-lock
INSTALL := -m pip install --quiet --disable-pip-version-check
LOCKED := $(INSTALL) --require-hashes
EDITABLE := $(INSTALL) --no-deps --no-build-isolation --editable .

.DEFAULT_GOAL := help
.PHONY: help demo test check format acceptance coverage bench bench-latency bench-lines torture peer fuzz lock clean
CHANNELS := exchange/test_channels.py exchange/test_a_million_exchanges.py test_naive_master.py test_conditions_of_lines.py# minutes of virtual time
PATIENT := acquisition/exchange/test_late_answers.py mms_gateway/commissioning/test_commissioning.py# they wait for time-outs of real ports
LONG := $(addprefix acquisition/,$(CHANNELS)) $(PATIENT)
SOUND_EXCHANGES ?= 10000000
CHECKS := check-lock check-format check-lint check-types check-imports check-pages
.PHONY: $(CHECKS)

help:  ## show what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/.run  ## simulated meters, acquisition, MMS server, status page; Ctrl-C ends it
	@exec $(BIN)/mms-gateway demo

test: $(VENV)/.test  ## all tests but those of `acceptance`, strangers' clients and OS processes included
	$(BIN)/python -m pytest -n auto --dist loadgroup

check: $(VENV)/.check  ## format, lint, types, import contracts, generated documents, tests without the system tests
	$(MAKE) --no-print-directory --jobs --output-sync=target $(CHECKS)
	$(BIN)/python -m pytest -n auto --dist worksteal --ignore=tests/system $(addprefix --ignore=tests/spec/,$(LONG))

format: $(VENV)/.check  ## format what you wrote
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix --select I .

check-lock:
	$(BIN)/python -m tools.lock --check

check-format:
	$(BIN)/ruff format --check .

check-lint:
	$(BIN)/ruff check .

check-types:
	$(BIN)/mypy

check-imports:
	$(BIN)/lint-imports

check-pages:
	$(BIN)/python -m tools.format_doc --check
	$(BIN)/python -m tools.devices_doc --check
	$(BIN)/python -m tools.diagnostics_doc --check
	$(BIN)/python -m tools.api_doc --check
	$(BIN)/python -m tools.architecture_doc --check
	$(BIN)/python -m tests.conformance_page --check

coverage: $(VENV)/.test  ## statements and branches by room, and their floors; OS processes that tests start do not count
	CI=true CHANNEL_EXCHANGES=20000 $(BIN)/python -m pytest -n auto --dist worksteal -q --cov --cov-report= tests/unit tests/spec tests/contract
	$(BIN)/coverage json --quiet -o .coverage.json
	$(BIN)/python -m tools.coverage_floor .coverage.json

acceptance: $(VENV)/.check  ## the tests that make environments and packages: the wheel where nothing else is
	$(BIN)/python -m pytest -m acceptance tests/acceptance

bench: $(VENV)/.bench $(BENCH_VENV)/.peer  ## ours and libIEC61850's server, interleaved: a table and plots in bench/results
	$(BIN)/python -m bench --peer $(BENCH_VENV)/bin/python
	$(BIN)/python -m bench.latency

bench-latency: $(VENV)/.test  ## from a register to a report, beside a raw pipe: two meters, then 1,000
	$(BIN)/python -m bench.latency
	$(BIN)/python -m bench.latency --meters 1000 --every 1000 --seconds 20

bench-lines: $(VENV)/.run  ## RTU on a paced line: our worker and an ideal master; then late answers, 1,000 TCP meters
	$(BIN)/python -m bench.lines
	$(BIN)/python -m bench.lines --late 0.01
	$(BIN)/python -m bench.meters

torture: $(VENV)/.run  ## channels with faults in front of our gateway and a plain one: which values they show as good, 10 minutes
	$(BIN)/python -m bench.torture --out bench/torture/TABLE.md

peer: $(BENCH_VENV)/.peer  ## libIEC61850 in an environment of its own: one more client for the tests, the peer of the bench

fuzz: $(VENV)/.test  ## throw octets at every decoder for ten minutes; what it finds is kept in tests/regressions
	FUZZ_EXAMPLES=200000 SOUND_EXCHANGES=$(SOUND_EXCHANGES) $(BIN)/python -m pytest --timeout=0 -q tests/fuzz

lock: $(LOCK_VENV)/.lock  ## renew the lock files in requirements/ to the newest versions that pyproject.toml allows
	$(LOCK_VENV)/bin/python -m tools.lock

clean:  ## remove the environments and what tools left
	rm -rf $(VENV) $(BENCH_VENV) $(LOCK_VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage*

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(BIN)/python pyproject.toml requirements/run.txt
	$(BIN)/python $(LOCKED) -r requirements/run.txt
	$(BIN)/python $(EDITABLE)
	@touch $@

$(VENV)/.test: $(BIN)/python pyproject.toml requirements/run.txt requirements/test.txt
	$(BIN)/python $(LOCKED) -r requirements/test.txt
	$(BIN)/python $(EDITABLE)
	@touch $@ $(VENV)/.run

$(VENV)/.bench: $(VENV)/.test requirements/bench.txt
	$(BIN)/python $(LOCKED) -r requirements/bench.txt
	@touch $@

$(VENV)/.check: $(BIN)/python pyproject.toml requirements/run.txt requirements/test.txt requirements/check.txt
	$(BIN)/python $(LOCKED) -r requirements/check.txt
	$(BIN)/python $(EDITABLE)
	@touch $@ $(VENV)/.test $(VENV)/.run

$(BENCH_VENV)/.peer: requirements/peer.txt
	$(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python $(LOCKED) -r requirements/peer.txt
	@touch $@

$(LOCK_VENV)/.lock: requirements/lock.txt
	$(PYTHON) -m venv $(LOCK_VENV)
	$(LOCK_VENV)/bin/python $(LOCKED) -r requirements/lock.txt
	@touch $@
