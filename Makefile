# The two commands are `make run` and `make test`; each sets up all that it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test check format docs screenshots bench lock clean help

help: ## List the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: $(VENV)/.runtime ## Start a Control Room with a runner and the example bots on http://127.0.0.1:8080
	@exec $(BIN)/controlroom up --examples examples $(ARGS)

test: $(VENV)/.development ## Run every test
	$(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

check: $(VENV)/.development ## Format, lint, types, import rules, known vulnerabilities
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy --platform win32 src/controlroom/runner
	$(BIN)/mypy --platform darwin src/controlroom/runner
	$(BIN)/lint-imports --no-logo
	$(BIN)/bandit -q -c pyproject.toml -r src

format: $(VENV)/.development ## Format the code and mend what the linter can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

audit: $(VENV)/.development ## Look the pinned dependencies up in the vulnerability database
	$(BIN)/pip-audit --require-hashes --disable-pip -r requirements/runtime.txt

docs: $(VENV)/.development ## Build the documentation into site/
	$(BIN)/python docs/generate_reference.py
	$(BIN)/mkdocs build --strict

screenshots: $(VENV)/.development ## Take pictures of every page of the UI for the documentation (needs Chromium)
	$(BIN)/python docs/take_screenshots.py

lock: $(VENV)/.development ## Pin the dependencies anew, with hashes and without index addresses
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	  --no-emit-index-url pyproject.toml --group build -o requirements/runtime.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	  --no-emit-index-url pyproject.toml --group build --group dev -c requirements/runtime.txt -o requirements/development.txt

clean: ## Remove what the other commands made, but not the data
	rm -rf $(VENV) site build dist

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Control Room needs Python 3.11 or newer; '$(PYTHON)' is older. Run 'make PYTHON=/path/to/python3.11 run'." >&2; exit 2; }
	@echo "Making $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# uv installs the rest quickly; pip installs uv itself, held to the same pinned hashes.
$(VENV)/.uv: $(VENV)/.python requirements/runtime.txt
	@sed -n '/^uv==/,/^[a-z]/{/^uv==/p;/^ /p}' requirements/runtime.txt > $(VENV)/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $(VENV)/uv.txt
	@touch $@

# Compiled at once: every process starts in half the time, also where Python may not write what it compiles.
$(VENV)/.runtime: $(VENV)/.uv pyproject.toml requirements/runtime.txt
	@echo "Installing the pinned dependencies"
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/runtime.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --offline --editable .
	@$(BIN)/python -m compileall -q src
	@touch $@

$(VENV)/.development: $(VENV)/.runtime requirements/development.txt
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/development.txt
	@touch $@
