# Every target sets up what it needs; `make` alone lists them.
PROJECT ?= flights
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
PACKAGES := $(VENV)/.packages
RUN := $(VENV)/bin/python -m flows

.DEFAULT_GOAL := help
# Every target with a plain name is a command, not a file.
.PHONY: $(shell awk -F: '/^[a-z-]+:/ {print $$1}' $(firstword $(MAKEFILE_LIST)))

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv from pyproject.toml and constraints.txt (done by every other target)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Perennial needs Python 3.11 to 3.13, and $(PYTHON) is " + sys.version.split()[0] + ": call make PYTHON=python3.11" if not (3, 11) <= sys.version_info[:2] <= (3, 13) else 0)'
	@echo "Setting up .venv (once; some minutes) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

# What the tests read: the data packages of all projects, whose specs say which.
$(PACKAGES): $(READY) $(wildcard projects/*/project.yaml)
	@$(RUN) data
	@touch $@

check: $(READY) ## name every problem of PROJECT's spec, functions and suites, without running anything
	@$(RUN) check --project $(PROJECT)

data: $(READY) ## install the packages that PROJECT takes its data from, verify their files, print the terms
	@$(RUN) data --project $(PROJECT)

# As they were written: a `${NAME}` in a URL stands for a secret, and is none of make's variables.
asked = $(if $(value $(1)),--$(2) '$(subst ','\'',$(value $(1)))')

new: $(READY) ## propose a project NAME from a table: DATA, LABEL, TIME (KEY, PROBLEM; TABLE of a database's URL)
	@$(RUN) new $(call asked,NAME,name) $(call asked,DATA,data) $(call asked,TABLE,table) $(call asked,LABEL,label) $(call asked,TIME,time) $(call asked,KEY,key) $(call asked,PROBLEM,problem) $(call asked,GROUP,group)

demo: $(READY) ## run the whole lifecycle of PROJECT over its history
	@$(RUN) demo --project $(PROJECT)

ingest: $(READY) ## read and validate batches (BATCH, or START and END; all by default)
	@$(RUN) ingest --project $(PROJECT) $(if $(BATCH),--start $(BATCH) --end $(BATCH)) $(if $(START),--start $(START)) $(if $(END),--end $(END))

backfill: $(READY) ## ingest the batches from START to END anew where they changed, and what was made from them
	@$(RUN) backfill --project $(PROJECT) $(if $(START),--start $(START)) $(if $(END),--end $(END))

release-quarantine: $(READY) ## let the set-aside rows of BATCH meet the present suite (DATASET; the events by default)
	@$(RUN) release-quarantine --project $(PROJECT) $(if $(BATCH),--batch $(BATCH)) $(if $(DATASET),--dataset $(DATASET))

suite: $(READY) ## propose a suite for DATASET from the batches START to END (all that were ingested)
	@$(RUN) suite --project $(PROJECT) $(if $(DATASET),--dataset $(DATASET)) $(if $(START),--start $(START)) $(if $(END),--end $(END))

data-docs: $(READY) ## write Great Expectations' own pages of the verdicts (they load styles from the network)
	@$(RUN) data-docs --project $(PROJECT)

train: $(READY) ## fit, export and register challengers on what was known at the end of BATCH
	@$(RUN) train --project $(PROJECT) $(if $(BATCH),--batch $(BATCH))

tune: $(READY) ## look for better parameters on what was known at the end of BATCH
	@$(RUN) tune --project $(PROJECT) $(if $(BATCH),--batch $(BATCH))

score: $(READY) ## score BATCH with the champion, or all that are due
	@$(RUN) score --project $(PROJECT) $(if $(BATCH),--batch $(BATCH))

monitor: $(READY) ## judge the predictions of BATCH and decide, or of all that are due, and retrain where called for
	@$(RUN) monitor --project $(PROJECT) $(if $(BATCH),--batch $(BATCH))

retrain: $(READY) ## train challengers at the end of BATCH and let them meet the champion
	@$(RUN) retrain --project $(PROJECT) $(if $(BATCH),--batch $(BATCH))

release: $(READY) ## let VERSION take over by steps, or have it SHARE of the traffic (ROLE=canary, shadow or test: METRIC)
	@$(RUN) release --project $(PROJECT) $(if $(VERSION),--version $(VERSION)) $(call asked,SHARE,share) $(call asked,ROLE,role) $(call asked,METRIC,metric) $(call asked,MINIMUM,minimum) $(call asked,MAXIMUM,maximum)

rollback: $(READY) ## end what is released beside the champion, else make an earlier champion it again (VERSION)
	@$(RUN) rollback --project $(PROJECT) $(if $(VERSION),--version $(VERSION))

replay: $(READY) ## compare retraining policies on PROJECT's history (POLICY: some, with ; between; START, END)
	@$(RUN) replay --project $(PROJECT) $(call asked,POLICY,policy) $(if $(START),--start $(START)) $(if $(END),--end $(END))

what-if: $(READY) ## live through PROJECT's history as it might have been (CHANGE, INJECT, SUITES, VERSION; POLICY, NAME)
	@$(RUN) what-if --project $(PROJECT) $(call asked,CHANGE,change) $(call asked,INJECT,inject) $(call asked,SUITES,suites) $(call asked,VERSION,version) $(call asked,POLICY,policy) $(call asked,NAME,name)

adopt-policy: $(READY) ## write the policy that the last replay recommends (or POLICY) into PROJECT's spec
	@$(RUN) adopt-policy --project $(PROJECT) $(call asked,POLICY,policy)

report: $(READY) ## build the site of PROJECT from the lake and the registry alone
	@$(RUN) report --project $(PROJECT)

reproduce: $(READY) ## fit VERSION again from its lineage alone, and compare to the last bit
	@$(RUN) reproduce --project $(PROJECT) $(if $(VERSION),--version $(VERSION))

retire: $(READY) ## retire VERSION, which must be out of use, and archive it
	@$(RUN) retire --project $(PROJECT) $(if $(VERSION),--version $(VERSION))

housekeeping: $(READY) ## put away what PROJECT has no use for: old rows, files, versions and runs
	@$(RUN) housekeeping --project $(PROJECT)

serve: $(READY) ## answer requests about PROJECT over HTTP (PERENNIAL_SERVE_HOST, _PORT, _WORKERS; _OPEN=true: without keys)
	@$(RUN) serve --project $(PROJECT)

api-key: $(READY) ## make an API key to PROJECT's service and print it this once (NAME, SCOPES=predict,outcomes,admin; RATE a second)
	@$(RUN) api-key --project $(PROJECT) $(call asked,NAME,name) $(call asked,SCOPES,scopes) $(call asked,RATE,rate)

api-keys: $(READY) ## list the API keys of PROJECT, never a key itself
	@$(RUN) api-keys --project $(PROJECT)

revoke-key: $(READY) ## end the API key NAME of PROJECT: within two seconds it is refused
	@$(RUN) revoke-key --project $(PROJECT) $(call asked,NAME,name)

up: $(READY) ## start what production needs on this machine, and the deployments (docs/operating.md)
	@$(RUN) up

down: $(READY) ## end exactly what `make up` has started
	@$(RUN) down

status: $(READY) ## print what runs, schedules, champion, last decision, alerts, batches and versions (JSON=1 for machines)
	@$(RUN) status --project $(PROJECT) $(if $(JSON),--json)

ui: $(READY) ## say where the Prefect UI is; when nothing is up, serve it with the deployments
	@$(RUN) ui

wandb-sync: $(READY) ## upload the tracked runs and reports that were not yet, all projects' (WANDB_API_KEY; WANDB_BASE_URL)
	@$(RUN) wandb-sync

# The tests start Python a hundred times over: none but the first should have to compile the code.
test: export PYTHONDONTWRITEBYTECODE :=
test: $(PACKAGES) ## run all tests
	@$(VENV)/bin/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test-fast: $(PACKAGES) ## run the quick tests: no flows, no other processes, no real fits
	@$(VENV)/bin/python -m pytest -m 'not slow'

lint: $(READY) ## ruff, mypy and the import contracts
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-cache

format: $(READY) ## rewrite the code as ruff would have it
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .

bench-loop: $(READY) ## measure the demo against the same work as a plain script
	@$(VENV)/bin/python -m benchmarks.loop

bench-data: $(READY) ## measure validation, features, memory and ingestion against peers and by size
	@$(VENV)/bin/python -m benchmarks.data

bench-models: $(READY) ## measure scoring by the ONNX files against the fitted models themselves
	@POLARS_MAX_THREADS=1 OMP_NUM_THREADS=1 $(VENV)/bin/python -m benchmarks.models

bench-replay: $(READY) ## measure the replay of all policies against its most expensive policy alone
	@$(VENV)/bin/python -m benchmarks.replay

bench-reaction: $(READY) ## measure the time from the decision to retrain to a retraining that runs
	@$(VENV)/bin/python -m benchmarks.reaction

bench-serving: $(READY) ## measure the service against an empty one, MLflow and BentoML, and a release under load
	@$(VENV)/bin/python -m benchmarks.serving

bench-monitor: $(READY) ## measure the look for drift against Evidently, over windows and by size
	@$(VENV)/bin/python -m benchmarks.monitor

# PROJECT alone where it is given, not by default.
bench-projects: $(READY) ## run every demo (or that of PROJECT) and hold its champions against its baselines
	@$(VENV)/bin/python -m benchmarks.projects $(if $(filter file,$(origin PROJECT)),,$(PROJECT))

gate-power: $(READY) ## simulate how often the gate of PROJECT promotes what is no better, and what is
	@OPENBLAS_NUM_THREADS=1 POLARS_MAX_THREADS=1 $(VENV)/bin/python -m benchmarks.gate_power $(PROJECT)

bench-peeking: $(READY) ## simulate how often a test that is looked at again and again finds what is not there
	@OPENBLAS_NUM_THREADS=1 $(VENV)/bin/python -m benchmarks.sequential_validity

bench-estimates: $(READY) ## measure estimates of performance without labels against what the labels said
	@OPENBLAS_NUM_THREADS=1 $(VENV)/bin/python -m benchmarks.estimates

drift-power: $(READY) ## simulate how often the drift check of PROJECT cries wolf, and how soon it sees what costs
	@OPENBLAS_NUM_THREADS=1 POLARS_MAX_THREADS=1 OMP_NUM_THREADS=1 $(VENV)/bin/python -m benchmarks.drift_power $(PROJECT)

docs: $(READY) ## write docs/spec.md and docs/project.schema.json from the models of the spec
	@$(RUN) docs

lock: ## write constraints.txt anew from what pip resolves today
	@$(PYTHON) -m venv --clear .lock
	@.lock/bin/python -m pip install --quiet --disable-pip-version-check '.[dev]'
	@# Pins of packages that this platform does not need (other accelerators) stay as they are.
	@{ .lock/bin/python -m pip freeze --exclude perennial; cat constraints.txt; } | sed 's/+cpu$$//' \
	  | awk -F== '{n = tolower($$1); gsub(/[_.]+/, "-", n); print n "==" $$2}' \
	  | LC_ALL=C sort -t= -k1,1 -u -s -o constraints.txt
	@rm -rf .lock build perennial.egg-info

clean-state: $(READY) ## remove all state: tables, models, runs, reports
	@$(RUN) clean-state
