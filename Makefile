# The commands of the book. `make book` needs Python 3.11 or newer, git and make;
# everything else arrives pinned by version and hash.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
TORCH := torch==2.13.0

# The same sources give the same bytes.
export SOURCE_DATE_EPOCH := 1767225600
export PYTHONHASHSEED := 0

NOTEBOOKS = $(wildcard book/*.ipynb)

# What the environment and the book were made from, to compare with.
lock = { $(PYTHON) -c "import sys; print(sys.version_info[:2])"; cat requirements.txt; }
sources = { echo $(VENV)/lock; find Makefile _config.yml _toc.yml pyproject.toml README.md LICENSE \
	book rnnbook -type f -not -path '*/.*' -not -path '*/node_modules/*' \
	-not -path '*/__pycache__/*'; } | LC_ALL=C sort | xargs cksum

# Every message of a failure ends in this line.
fail = { echo "make $(or $(firstword $(MAKECMDGOALS)),book): failed: $(1)" >&2; exit 1; }

# Side by side, a file on one processor, and each with one thread: two that share their
# threads wait for one another most of the time.
PYTEST = OMP_NUM_THREADS=1 RNNBOOK_QUIET=1 $(BIN)/pytest -n auto --maxprocesses 4 --dist loadfile

# Every notebook once more, its random numbers shaken far below what is printed, and nothing
# that it prints or draws may change. What the build ran without a shake is compared by
# tests/book/test_numbers.py.
SHAKEN = $(PYTEST) -p shaken_nbval --nbval --nbval-current-env $(NOTEBOOKS)

comma := ,

.DEFAULT_GOAL := book
.PHONY: book test lab lint refresh bind bench lock linkcheck clean environment torch axe
.SUFFIXES:
.NOTPARALLEL:

## Build the book from clean into _build/html, unless nothing has changed.
book: environment
	@test "$$($(sources))" = "$$(cat _build/sources 2>/dev/null)" || { rm -rf _build && \
	{ $(BIN)/jupyter-book build . -n -W --keep-going || \
	$(call fail,the build of the book$(comma) see above); } && $(sources) >_build/sources; }
	@$(BIN)/python -c "from pathlib import Path; \
	print('The book is ready. Open', Path('_build/html/index.html').resolve().as_uri())"

## Everything that CI runs.
test: lint torch axe book
	@$(PYTEST) tests --ignore=tests/book || $(call fail,a test of the package$(comma) see above)
	@$(SHAKEN) --shake 1 && $(SHAKEN) --shake 2 --older-kernels \
	    || $(call fail,a notebook$(comma) see above)
	@$(PYTEST) --dist worksteal tests/book || $(call fail,a test of the built pages$(comma) see above)
	@echo "make test: passed"

## Check style and docstrings; change nothing.
lint: environment
	@$(BIN)/ruff check . || $(call fail,ruff found something$(comma) see above)
	@$(BIN)/ruff format --check . || $(call fail,ruff would format differently$(comma) see above)
	@$(BIN)/numpydoc lint rnnbook/*.py rnnbook/*/*.py || $(call fail,a docstring$(comma) see above)

## Open the notebooks in JupyterLab.
lab: environment
	@cd book && ../$(BIN)/jupyter lab

## Run the notebooks afresh and store their outputs: make refresh [NOTEBOOKS=book/NAME.ipynb]
refresh: environment
	@$(BIN)/python book/_ext/refresh.py $(NOTEBOOKS) || $(call fail,a notebook$(comma) see above)

## Bring tests/numbers up to date, where the prose or an output changed: make bind [NOTEBOOKS=...]
bind: environment
	@$(BIN)/python tests/numbers/bind.py $(NOTEBOOKS) || $(call fail,tests/numbers$(comma) see above)

## Measure: the package beside PyTorch and others, the weight of the pages, the time of a build.
bench: book torch
	@for benchmark in rnnlm adder gradient_cost "book --build"; do \
	set -- $$benchmark; RNNBOOK_QUIET=1 $(BIN)/python benchmarks/$$1.py $$2 || exit 1; done \
	    || $(call fail,a benchmark$(comma) see above)

## Choose the newest versions that pyproject.toml allows and write requirements.txt.
lock:
	@$(PYTHON) -m venv $(VENV)/uv && \
	$(VENV)/uv/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r .ci/uv.txt && \
	$(VENV)/uv/bin/uv pip compile pyproject.toml --quiet --upgrade --all-extras --universal \
	    --fork-strategy fewest --generate-hashes --python-version 3.11 --no-emit-index-url \
	    --no-annotate --no-header --output-file $(VENV)/uv/requirements.txt && \
	{ sed -n '/^#/p' requirements.txt; cat $(VENV)/uv/requirements.txt; } >$(VENV)/uv/new.txt && \
	mv $(VENV)/uv/new.txt requirements.txt || $(call fail,the lock$(comma) see above)

## Ask the web whether the book's links to other sites still lead somewhere.
linkcheck: environment
	@$(BIN)/jupyter-book build . --builder linkcheck --path-output _build/linkcheck \
	    || $(call fail,a link$(comma) see above)

## Remove what the other commands made, but for the environment.
clean:
	@rm -rf _build .pytest_cache .hypothesis .ruff_cache book/_ext/node_modules tests/book/node_modules
	@find book rnnbook tests benchmarks \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

# The environment is made again when the lock or the Python version changes.
environment:
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null || \
	$(call fail,this needs Python 3.11 or newer and $(PYTHON) is $$($(PYTHON) --version 2>&1). \
	Name another one: make PYTHON=python3.12)
	@$(PYTHON) -c "import ensurepip$(comma) venv" 2>/dev/null || \
	$(call fail,$(PYTHON) cannot make virtual environments; on Debian: apt install python3-venv)
	@test "$$($(lock))" = "$$(cat $(VENV)/lock 2>/dev/null)" || { echo "Making the environment in $(VENV)" && \
	$(PYTHON) -m venv --clear $(VENV) && \
	$(PIP) install --quiet --require-hashes -r requirements.txt && \
	$(PIP) install --quiet --no-build-isolation --no-deps -e . && \
	$(lock) >$(VENV)/lock || $(call fail,the environment$(comma) see above); }

# PyTorch is the tests' oracle. It is no part of the lock, because the right build of it
# differs from machine to machine.
torch: environment
	@$(BIN)/python -c "import torch" 2>/dev/null || $(PIP) install --quiet $(TORCH) || \
	$(call fail,PyTorch could not be installed$(comma) see above)

# The accessibility checks of the browser tests, from the npm registry by their lock.
axe: environment
	@$(BIN)/python book/_ext/node_packages.py tests/book || $(call fail,axe-core could not be installed$(comma) see above)
