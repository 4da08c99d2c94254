# One environment (.venv), one command for each thing you do. Everything can be overridden:
#   make specs PYTHON=python3.12 VENV=/somewhere/else ARGS="-x"
#   make specs TORCH_INDEX=https://download.pytorch.org/whl/cpu     another index for torch
#   make test WORKERS=8                    as many models at a time
#   make test GATE=--gate                  as CI does: drift from the baselines is red
#   make specs TORCH="torch==2.13.0+cu130" TORCH_INDEX=...          another build of it

PYTHON      ?= $(shell command -v python3.11 || command -v python3 || command -v python)
VENV        ?= .venv
TORCH       ?= torch
TORCH_INDEX ?=
CONSTRAINTS ?= constraints.txt
EXTRAS      ?= dev
ARGS        ?=
GATE        ?=
WORKERS     ?= 2
PEERS       ?= $(or $(TMPDIR),/tmp)/interp-peers

BIN   := $(VENV)/bin
PIP    = $(BIN)/python -m pip --disable-pip-version-check install -qq -c $(CONSTRAINTS)
STEM  := $(VENV)/.ready-
OURS  := $(VENV)/.made-by-make
# Content, not dates: switching branches back and forth sets nothing up again.
KEY   := $(shell { cat pyproject.toml $(CONSTRAINTS); echo "$(PYTHON) $(TORCH) $(TORCH_INDEX) $(EXTRAS) $(CURDIR)"; } | cksum | cut -d' ' -f1)
READY := $(STEM)$(KEY)

# Shapes are checked in tests only, wherever jaxtyping is used. Not in the backends: protocols and Self
# cannot be checked at run time, and the contracts compare what backends return bit for bit.
empty :=
comma := ,
SHAPED = $(shell grep -rl --include='*.py' --exclude-dir=backends '^from jaxtyping' interp | sed 's|/__init__\.py$$||; s|\.py$$||; s|/|.|g' | sort)
CHECKED = $(if $(SHAPED),--jaxtyping-packages=$(subst $(empty) ,$(comma),$(SHAPED))$(comma)beartype.beartype)

# A worker takes whole models, or whole files of tests. WORKERS=0 runs in one process, as -x wants it.
BY_MODEL = $(if $(filter-out 0 1,$(WORKERS)),-n $(WORKERS))
BY_FILE  = $(if $(BY_MODEL),$(BY_MODEL) --dist loadfile)

# Hundreds of runs of pytest begin here: what one has compiled, the next need not.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup specs test thoughts lint format unit contracts mutants caught findings slow oldest on-oldest mlx on-mlx readme report bench peers floors full clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 12

specs: $(READY) ## every finding on every Llama at hand
	$(BIN)/pytest specs -k llama $(ARGS)

test: lint unit ## what CI runs on a change: lint, the machinery, then the specs; `make thoughts` has the rest
	$(BIN)/pytest specs -m "not slow" -k "not test_codi_" --no-report $(BY_MODEL) $(GATE) $(ARGS)

thoughts: $(READY) ## the findings on models that think in vectors, some minutes a model
	$(BIN)/pytest specs/findings -m "not slow" -k test_codi_ --no-report $(BY_MODEL) $(GATE) $(ARGS)

lint: $(READY) ## style, types, imports, sizes, spelling
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/pytest tests/house

unit: $(READY) ## tests of the machinery, with shapes and types checked at run time
	$(BIN)/pytest tests --ignore=tests/house -m "not slow" $(BY_FILE) $(CHECKED) $(ARGS)

contracts: $(READY) ## exact properties of the primitives, on every model at hand
	$(BIN)/pytest specs/contracts -m "not slow" $(ARGS)

mutants: $(READY) ## plant known bugs one at a time: some spec must catch each
	$(BIN)/interp mutants $(ARGS)

caught: $(READY) ## note which spec catches each bug, so that it is asked first the next time
	@mkdir -p build
	$(BIN)/interp mutants --json $(ARGS) > build/mutants.json || true
	$(BIN)/python .ci/caught.py build/mutants.json

findings: $(READY) ## the claims, on every model at hand
	$(BIN)/pytest specs/findings -m "not slow" $(ARGS)

slow: $(READY) ## what `make test` leaves out
	$(BIN)/pytest specs tests -m slow $(BY_FILE) $(ARGS)

# Tests that ask transformers something; the others say the same whichever it is.
ASKING = tests/core $(addprefix tests/,test_training.py test_codi_training.py test_lens_training.py test_plan_models.py plugin/test_real_model.py)

oldest: build/oldest.txt ## every spec on one model and the contracts of three, on the oldest transformers we support
	$(MAKE) --no-print-directory on-oldest VENV=.venv-oldest CONSTRAINTS=$<

on-oldest: $(READY)
	$(BIN)/pytest $(ASKING) -m "not slow" $(BY_FILE) $(ARGS)
	$(BIN)/pytest specs --model llama-tiny-world -m "not slow" --no-report $(ARGS)
	$(BIN)/pytest specs/contracts --model gemma-world --model gpt2-world --model codi-gpt2 -m "not slow" --no-report $(BY_MODEL) $(ARGS)

build/oldest.txt: constraints.txt .ci/oldest.txt
	@mkdir -p build
	@awk -F== 'NR == FNR { ours[$$1] = 1; print; next } !($$1 in ours)' .ci/oldest.txt constraints.txt > $@

mlx: ## contracts, parity and tests of the MLX backend, in an environment of its own
	$(MAKE) --no-print-directory on-mlx VENV=.venv-mlx EXTRAS=$(EXTRAS),mlx

on-mlx: $(READY)
	$(BIN)/pytest specs/contracts specs/calibration/test_*_parity.py specs/calibration/test_*_tiers.py --backend mlx -m "not slow" --model llama-world --model gemma-world --no-report $(BY_MODEL) $(ARGS)
	$(BIN)/pytest tests/mlx -m "not slow" $(BY_FILE) $(ARGS)

readme: $(READY) ## rewrite what the first page quotes: its spec, and the output of a real run
	@mkdir -p build
	COLUMNS=100 $(BIN)/pytest specs -k "llama-world and (alpha_zero or rescues_two or logit_lens)" --no-header > build/run.txt || { cat build/run.txt; exit 1; }
	$(BIN)/python .ci/readme.py build/run.txt

report: $(READY) ## make the example report anew: reports/example, from a run of the world models
	@rm -rf build/example && mkdir -p reports/example
	$(BIN)/pytest specs --model "*-world" $(BY_MODEL) --run-dir build/example
	$(BIN)/interp report build/example --to reports/example/report.html
	cp build/example/summary.md reports/example/summary.md

bench: $(READY) ## sweeps beside plain hooks, and the peers that were built, in one interleaved run
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/run.py --peers $(PEERS) $(ARGS)

peers: ## an environment for each library that bench compares with, some gigabytes
	PYTHON=$(PYTHON) TORCH="$(TORCH)" TORCH_INDEX="$(TORCH_INDEX)" sh benchmarks/peers/build.sh $(PEERS)

floors: $(READY) ## what a sweep costs beside its arithmetic: planning, and a grid of one cell
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/floors.py $(ARGS)

full: test thoughts mutants slow oldest mlx ## everything there is

format: $(READY) ## let ruff rewrite what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

setup: $(READY) ## the environment alone

# A folder without a stamp is a set-up that was interrupted: it is made anew, if it is ours. With an
# old stamp it is brought up to date. torch goes first, from its own index where one is named.
$(READY):
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("interp needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	@if [ -e $(VENV) ] && [ ! -e $(OURS) ]; then \
		echo "$(VENV) was not made by this Makefile: move it away, or name another with VENV=..." >&2; exit 1; fi
	@if ls $(STEM)* >/dev/null 2>&1; then rm -f $(STEM)*; else \
		rm -rf $(VENV) && mkdir -p $(VENV) && touch $(OURS) && $(PYTHON) -m venv $(VENV); fi
	@echo "setting up $(VENV): a minute, and longer where torch has to be downloaded"
	$(PIP) $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) "$(TORCH)" hatchling editables
	$(PIP) --no-build-isolation -e ".[$(EXTRAS)]"
	@touch $@

clean: ## remove the environment and what tools remember
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
