# The commands of the book. `make book` needs Python 3.11 or newer, git and make;
# everything else arrives pinned by version and hash.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH := torch==2.13.0

# The same sources give the same bytes.
export SOURCE_DATE_EPOCH := 1767225600
export PYTHONHASHSEED := 0

# Every path can be read and written, whatever language the machine speaks.
export PYTHONUTF8 := 1

NOTEBOOKS = $(wildcard book/*.ipynb)

# Two commands at once, or one after another that was cut off, do not spoil each other's work.
# $(RUN)/program runs a program of the environment while the environment stays as it is.
RUN = $(PYTHON) book/_ext/locks.py share $(VENV) $(BIN)
OWN = $(PYTHON) book/_ext/locks.py own
ENVIRONMENT = $(PYTHON) book/_ext/environment.py $(VENV) requirements.txt
export RNNBOOK_COMMAND := make $(or $(firstword $(MAKECMDGOALS)),book)

# Every message of a failure ends in this line.
fail = { echo "$(RNNBOOK_COMMAND): failed: $(1)" >&2; exit 1; }

# Side by side, a file on one processor, and each with one thread: two that share their
# threads wait for one another most of the time.
PYTEST = OMP_NUM_THREADS=1 RNNBOOK_QUIET=1 $(RUN)/pytest -n auto --maxprocesses 4 --dist loadfile

# Every notebook once more, its random numbers shaken far below what is printed, and nothing
# that it prints or draws may change. What the build ran without a shake is compared by
# tests/book/test_numbers.py.
SHAKEN = $(PYTEST) -p shaken_nbval --nbval --nbval-current-env $(NOTEBOOKS)

comma := ,

.DEFAULT_GOAL := book
.PHONY: book test lab lint refresh bind bench lock linkcheck clean environment torch axe
.PHONY: browser lowest unit
.SUFFIXES:
.NOTPARALLEL:

## Build the book from clean into _build/html, unless nothing has changed.
book: environment
	@$(RUN)/python book/_ext/builds.py $(BIN)/jupyter-book build . -n -W --keep-going --path-output .build

## Everything that CI runs.
test: browser lint torch axe lowest book
	@$(PYTEST) tests --ignore=tests/book || $(call fail,a test of the package$(comma) see above)
	@$(SHAKEN) --shake 1 && $(SHAKEN) --shake 2 --older-kernels \
	    || $(call fail,a notebook$(comma) see above)
	@$(PYTEST) --dist worksteal tests/book || $(call fail,a test of the built pages$(comma) see above)
	@echo "make test: passed"

## Test the package alone: not the book nor how it is made, and without the
## slips by machine in the exercises and the game of the errata page.
unit: environment
	@$(PYTEST) -p no:nbval tests \
	    $(addprefix --ignore=tests/,book project checks/test_attack.py checks/test_errata.py) \
	    || $(call fail,a test of the package$(comma) see above)

## Test the package, not the book, with the lowest versions that pyproject.toml allows. Newer
## libraries among them call them outdated, so here a warning is no error.
lowest: environment
	@$(PYTHON) book/_ext/environment.py .venv-lowest .ci/lowest.txt
	@$(subst $(VENV),.venv-lowest,$(PYTEST)) -W default -m "not torch" tests \
	    $(addprefix --ignore=tests/,book checks/test_attack.py $(addprefix project/test_,prose.py shake.py)) \
	    || $(call fail,a test with the lowest versions$(comma) see above)

## Check style and docstrings; change nothing.
lint: environment
	@$(RUN)/ruff check . || $(call fail,ruff found something$(comma) see above)
	@$(RUN)/ruff format --check . || $(call fail,ruff would format differently$(comma) see above)
	@$(RUN)/numpydoc lint rnnbook/*.py rnnbook/*/*.py || $(call fail,a docstring$(comma) see above)

## Open the notebooks in JupyterLab.
lab: environment
	@$(RUN)/jupyter lab --ServerApp.root_dir=book

## Run the notebooks afresh and store their outputs: make refresh [NOTEBOOKS=book/NAME.ipynb]
refresh: environment
	@$(RUN)/python book/_ext/refresh.py $(NOTEBOOKS) || $(call fail,a notebook$(comma) see above)

## Bring tests/numbers up to date, where the prose or an output changed: make bind [NOTEBOOKS=...]
bind: environment
	@$(RUN)/python tests/numbers/bind.py $(NOTEBOOKS) || $(call fail,tests/numbers$(comma) see above)

## Measure: the package beside PyTorch and others, the weight of the pages, the time of a build.
bench: book torch
	@for benchmark in language_models adder gradient_cost "book --build"; do \
	set -- $$benchmark; RNNBOOK_QUIET=1 $(RUN)/python benchmarks/$$1.py $$2 || exit 1; done \
	    || $(call fail,a benchmark$(comma) see above)

## Choose the newest and the lowest versions that pyproject.toml allows, and write both locks.
lock:
	@folder=$$(mktemp -d .new-XXXXXX) && trap 'rm -rf '$$folder EXIT && $(PYTHON) -m venv $$folder && \
	$$folder/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r .ci/uv.txt && \
	for end in "requirements.txt" ".ci/lowest.txt --resolution lowest-direct --only-binary :all:"; do \
	set -- $$end && file=$$1 && shift && \
	$$folder/bin/uv pip compile pyproject.toml --quiet --all-extras --universal "$$@" \
	    --fork-strategy fewest --generate-hashes --python-version 3.11 --no-emit-index-url \
	    --no-annotate --no-header --output-file $$folder/lock && \
	{ sed -n '/^#/p' $$file; cat $$folder/lock; } >$$folder/new && rm $$folder/lock && \
	mv $$folder/new $$file || $(call fail,the lock$(comma) see above); done || \
	$(call fail,the lock$(comma) see above)

## Ask the web whether the book's links to other sites still lead somewhere.
linkcheck: environment
	@$(OWN) _build $(RUN)/jupyter-book build . --builder linkcheck --path-output .build \
	    || $(call fail,a link$(comma) see above)

## Remove what the other commands made, but for the environment and what npm has fetched.
clean:
	@$(OWN) _build rm -rf _build .build .pytest_cache .hypothesis .ruff_cache
	@find book rnnbook tests benchmarks \( -name __pycache__ -o -name .ipynb_checkpoints -o -name '.npm-*' \) \
	    -prune -exec rm -rf {} +

# The environment is made again when the lock or the Python version changes.
environment:
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null || \
	$(call fail,this needs Python 3.11 or newer and $(PYTHON) is $$($(PYTHON) --version 2>&1). \
	Name another one: make PYTHON=python3.12)
	@$(PYTHON) -c "import ensurepip$(comma) venv" 2>/dev/null || \
	$(call fail,$(PYTHON) cannot make virtual environments; on Debian: apt install python3-venv)
	@$(ENVIRONMENT)

# PyTorch is the tests' oracle. It is no part of the lock, because the right build of it
# differs from machine to machine.
torch: environment
	@$(ENVIRONMENT) $(TORCH)

# The accessibility checks of the browser tests, from the npm registry by their lock.
axe: environment
	@$(RUN)/python book/_ext/node_packages.py tests/book || $(call fail,axe-core could not be installed$(comma) see above)

# What the tests read the pages in: found, or brought, before anything that takes long.
browser: environment
	@$(RUN)/python book/_ext/browsers.py
