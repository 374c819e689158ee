PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo test e2e bench-operator bench-data bench-trainer lint images clean help

help:
	@echo "make setup   make .venv with everything the other targets need"
	@echo "make demo    fine-tune the quickstart on this machine"
	@echo "make test    every test this machine can run"
	@echo "make e2e     the product in a cluster of one node, made on this machine (Linux, root)"
	@echo "make bench-operator  the operator with thousands of jobs, against a bare client"
	@echo "make bench-trainer  this trainer beside TRL's: speed, memory, loss"
	@echo "make bench-data  ftj lint on a million rows: seconds and memory"
	@echo "make lint    style, types and the direction of imports"
	@echo "make images  the images of operator and trainer, by docker or buildah"
	@echo "make clean   remove what the targets made here"

setup: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed; $(PYTHON) is older. Write: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@echo "setting up .venv (the first time this downloads several GB, PyTorch above all)"
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[trainer,operator,dev]'
	@touch $@

demo: setup
	$(BIN)/python examples/quickstart/base_model.py
	$(BIN)/ftj run examples/quickstart/finetunejob.yaml

# The servers that tests talk to (Kubernetes' control plane, S3, promtool) are built with Go, once for each version.
.venv/.go: .venv/.installed
	@command -v go >/dev/null || $(BIN)/pip install --quiet --constraint constraints.txt --editable '.[go]'
	@touch $@

test: setup .venv/.go
	$(BIN)/pytest

e2e: setup .venv/.go
	$(BIN)/pytest e2e

bench-operator: setup .venv/.go
	$(BIN)/python benchmarks/operator/bench_operator.py

bench-trainer: setup
	$(BIN)/pip install --quiet --editable '.[bench]'
	$(BIN)/python benchmarks/trainer/bench_trainer.py

bench-data: setup
	$(BIN)/python benchmarks/data/bench_data.py

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# IMAGE_PREFIX, IMAGE_TAG and BASE_IMAGE may be given: docs/images.md.
images:
	$(PYTHON) -m e2e.build_images

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis dist \
		examples/quickstart/base-model examples/quickstart/output
