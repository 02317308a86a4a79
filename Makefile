# The only door: `make` alone lists what there is. GNU make 4.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.SUFFIXES:
MAKEFLAGS += --no-print-directory --no-builtin-rules

export PYTHON
RUN := .venv/bin/python
BASE := .venv/.base
DEV := .venv/.dev
# mypy's plugin loads the settings; no server is asked anything.
NOWHERE := DATABASE_URL=postgres://nowhere/none BROKER_URL=redis://nowhere CACHE_URL=redis://nowhere
CODE := manage.py accounts api catalog notifications scraping stalkerr tests workers

# -- for people who run it ---------------------------------------------------------------------

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(BASE) ## virtual environment in .venv with all that the product needs

.PHONY: demo
demo: $(BASE) ## the main job against a bundled store, until Ctrl-C (ONCE=1: end by itself)
	@$(RUN) manage.py demo $(if $(ONCE),--once)

.PHONY: up
up: $(BASE) ## the product against the real stores, data under var/, until Ctrl-C
	@$(RUN) manage.py up

.PHONY: migrate
migrate: $(BASE) ## bring both schemas of the database up to date
	@$(RUN) manage.py upgrade

.PHONY: backup
backup: $(BASE) ## a backup now, beside those of every night
	@$(RUN) manage.py backup

# What is given on make's command line is in the environment.
.PHONY: restore
restore: $(BASE) ## put a backup in the place of the database (FILE= its folder, its name, or latest)
	@test -n "$${FILE}" || { echo "Say which: make restore FILE=latest, or its folder or name."; exit 1; }
	@$(RUN) manage.py restore "$${FILE}" $${YES:+--yes}

# -- for people who change it ------------------------------------------------------------------

.PHONY: test
test: $(DEV) ## the quick tests (under 5 minutes); all of them: make check
	@$(RUN) -m pytest -q -n 2 -m "not slow and not e2e"

.PHONY: lint
lint: $(DEV) ## style and formatting
	@$(RUN) -m ruff check --quiet .
	@$(RUN) -m ruff format --check --quiet . || { echo "Some files are not formatted: run make format."; exit 1; }

.PHONY: types
types: $(DEV) ## mypy --strict
	@env $(NOWHERE) $(RUN) -m mypy --no-error-summary $(CODE)

.PHONY: imports
imports: $(DEV) ## who may import whom
	@.venv/bin/lint-imports --no-logo

.PHONY: format
format: $(DEV) ## put the code into its one format
	@$(RUN) -m ruff check --fix --quiet . ; $(RUN) -m ruff format --quiet .

.PHONY: check
check: lint types imports ## everything that must hold before a change goes in
	@$(RUN) manage.py makemigrations --check --dry-run
	@scripts/check-production
	@$(MAKE) test
	@$(RUN) -m pytest -q -n 2 -m "(slow or e2e) and not long"
	@$(MAKE) demo ONCE=1
	@scripts/check-up

.PHONY: bench
bench: $(DEV) ## measure
	@$(RUN) -m tests.benchmarks

# The records are nobody's to pass on: they lie beside the project, or where DATA= says.
DATA ?= ../shared/data
RECORDS := forecast/light_novel_releases.csv audible/C_tables/in_audible_uncleaned.csv

.PHONY: backtest
backtest: $(DEV) ## how well the next release would have been forecast (DATA= a folder of records)
	@for record in $(RECORDS); do \
	  if [ -f "$(DATA)/$$record" ]; then $(RUN) manage.py backtest "$(DATA)/$$record" || exit 1; \
	  else echo "$$record is not in $(DATA): skipped. Say where it is: make backtest DATA=folder"; fi; \
	done

.PHONY: chaos
chaos: $(DEV) ## drills: kill, stall, fill and lose whatever the product stands on
	@$(RUN) -m tests.chaos
	@$(RUN) -m pytest -q -m long

# Never in CI: it asks a real store. What is given on make's command line is in the environment.
.PHONY: live
live: $(BASE) ## does the real store behave as we believe (MARKETPLACE= AUTHOR= SERIES= ASIN= JSON=1)
	@$(RUN) manage.py live $${MARKETPLACE:+--marketplace "$$MARKETPLACE"} \
	  $${AUTHOR:+--author "$$AUTHOR"} $${SERIES:+--series "$$SERIES"} $${ASIN:+--asin "$$ASIN"} \
	  $${JSON:+--json}

.PHONY: lock
lock: ## resolve requirements/*.in into hashed *.txt (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv: https://docs.astral.sh/uv"; exit 1; }
	@for list in requirements/*.in; do \
	  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --custom-compile-command "make lock" -o "$${list%.in}.txt" "$$list" || exit 1; \
	done

# -- how it is made ----------------------------------------------------------------------------

$(BASE): requirements/base.txt
	@scripts/setup base

$(DEV): requirements/dev.txt
	@scripts/setup dev
