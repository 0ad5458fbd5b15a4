# Two commands do all the set-up: `make demo` shows the main job, `make test` runs the tests.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO := runs/demo
DEMO_DATA := runs/synthetic-small

.PHONY: help setup demo test check format lint types imports clean

help:  ## Show what make can do
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(READY)  ## Install Tapetum and the developers' tools into .venv

$(READY): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Tapetum needs Python 3.11 or newer: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[development,fast-decoding]'
	touch $(READY)

demo: setup  ## Draw people, train, embed, evaluate, search, and write runs/demo/report.html
	$(BIN)/tapetum data synthesize --preset small --seed 0 $(DEMO_DATA)
	$(BIN)/tapetum train recipes/two_stream/synthetic.yaml --root $(DEMO_DATA) --output $(DEMO) --workers 0
	$(BIN)/tapetum embed $(DEMO) --root $(DEMO_DATA)
	$(BIN)/tapetum evaluate $(DEMO)/embeddings.parquet
	$(BIN)/tapetum search $(DEMO_DATA)/cam3/0226/0001.jpg $(DEMO_DATA)/cam3/0227/0001.jpg $(DEMO_DATA)/cam3/0228/0001.jpg \
		--gallery $(DEMO)/embeddings.parquet --model $(DEMO) --output $(DEMO)/search.png
	$(BIN)/tapetum report $(DEMO)
	@echo
	@echo "What to run next:"
	@echo "  $(BIN)/tapetum data check $(DEMO_DATA)"
	@echo "  $(BIN)/tapetum search $(DEMO_DATA)/cam3/0300/0001.jpg --gallery $(DEMO)/embeddings.parquet --model $(DEMO)"
	@echo "  $(BIN)/tapetum index runs/gallery $(DEMO_DATA) --model $(DEMO) && $(BIN)/tapetum serve runs/gallery"
	@echo "  $(BIN)/tapetum train recipes/two_stream/sysu_mm01.yaml --root /path/to/SYSU-MM01 --output runs/sysu"

test: setup  ## Run the tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4

check: setup format lint types imports test  ## Formatter, linter, type checker, import contract and tests

format: setup  ## See that the code is formatted
	$(BIN)/ruff format --check .

lint: setup  ## Run the linter
	$(BIN)/ruff check .

types: setup  ## Run the type checker
	$(BIN)/mypy

imports: setup  ## See that imports run one way
	$(BIN)/lint-imports

clean:  ## Remove the demo's outputs and its gallery (not .venv)
	rm -rf $(DEMO) $(DEMO_DATA) runs/gallery
