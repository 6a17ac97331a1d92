# make demo and make test set up everything themselves; they need git, make and Python 3.11+ with pip, and PyPI once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null || echo $(VENV)-uv/bin/uv)

.PHONY: setup demo test check format lock clean

setup: $(VENV)/ready

$(VENV)/ready: requirements.lock pyproject.toml
	@command -v uv >/dev/null 2>&1 || test -x $(UV) || ($(PYTHON) -m venv $(VENV)-uv && $(VENV)-uv/bin/pip install --quiet uv)
	test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) $(VENV)
	$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	$(BIN)/python -m compileall -q src
	@touch $@

demo: setup
	$(BIN)/imageless demo --out demo --overwrite

test: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder -m "not gpu and not network"

check: setup
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/pyright

format: setup
	$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

lock:
	$(UV) pip compile --quiet --generate-hashes --no-emit-index-url --no-header --no-annotate --all-extras --group dev pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) $(VENV)-uv demo .pytest_cache .ruff_cache
