# `make trial` runs the default trial, `make test` all tests; both first set up .venv from the lock of your Python.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)
MINOR = $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
BIN = .venv/bin

.PHONY: trial test slow lint types bench lock clean

trial: .venv/installed
	$(BIN)/cutis run

test: .venv/installed
	$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile --cov --cov-report=term:skip-covered --cov-fail-under=85

slow: .venv/installed
	$(BIN)/python -m pytest -m slow

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/installed
	$(BIN)/basedpyright

bench: .venv/installed
	$(BIN)/python bench/trial.py
	$(BIN)/python bench/population.py
	$(BIN)/python bench/matching.py
	$(BIN)/python bench/psoriasis.py
	$(BIN)/python bench/engine.py
	$(BIN)/python bench/design.py
	$(BIN)/python bench/sweep.py
	$(BIN)/python bench/scale.py
	$(BIN)/python bench/executors.py
	$(BIN)/python bench/gpu.py
	$(BIN)/python bench/cost.py

.venv/installed: pyproject.toml $(wildcard locks/*.txt)
	@test -n "$(PYTHON)" || { echo "Cutis needs Python 3.11, 3.12 or 3.13; none was found. Say where: make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r locks/python-$(MINOR).txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

# Renews the locks (needs `uv`); no addresses of indexes are recorded.
lock:
	for minor in 3.11 3.12 3.13; do uv pip compile --quiet --upgrade pyproject.toml --extra dev --python-version $$minor \
		--generate-hashes --no-header --no-annotate -o locks/python-$$minor.txt; done

clean:
	rm -rf .venv build *.egg-info
