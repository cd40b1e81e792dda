# Everything runs in .venv, which is made on first use; `make demo` needs only Python 3.11+ with venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOWEST := .venv-lowest
DEMO := out/demo
FORMAT := pdf
SITE := out/docs
# `make bench` compares with PyTorch where it is installed in .venv (pip install '.[torch]').
AGAINST := $(if $(wildcard $(VENV)/lib/python*/site-packages/torch),--against torch)

.PHONY: demo test test-notebooks test-lowest test-install lint docs bench figures clean

demo: $(VENV)/ready
	@# Exit code 1: a claim is not supported, or undecided; the table says which.
	$(BIN)/deeptheory demo --out $(DEMO) || [ $$? -eq 1 ]

test: $(VENV)/ready-test
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-notebooks: $(VENV)/ready-test
	$(BIN)/python -m pytest -m notebook tests/docs/test_notebooks.py

# What depends most on the versions of the packages, with the lowest that pyproject.toml admits.
test-lowest: $(LOWEST)/ready
	DEEPTHEORY_CACHE=$(abspath $(LOWEST))/cache $(LOWEST)/bin/python -m pytest -n 2 --dist loadfile \
	    tests/store tests/data tests/judge tests/system tests/interop/onnx tests/interop/state tests/test_tables.py \
	    tests/test_errors.py tests/cli/test_bad_input.py tests/cli/test_bad_data.py tests/cli/test_theory.py \
	    tests/faults/test_damage.py tests/faults/test_strangers.py tests/reports/plot

# What `pip install` gives, without the checkout.
test-install:
	.ci/install

lint: $(VENV)/ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The site, without a network; open out/docs/index.html.
docs: $(VENV)/ready-docs
	$(BIN)/python -m sphinx -n -W --keep-going -q -j 2 docs $(SITE)

bench: $(VENV)/ready
	for width in 1 0.25; do for case in train-step inference measure memory; do \
	    $(BIN)/deeptheory bench $$case --width $$width $(AGAINST) --out benchmarks/results || exit; \
	done; $(BIN)/deeptheory bench layers --width $$width --out benchmarks/results || exit; done

# From the results that are in out/ (figures/sources.toml says which command makes which) into out/figures; FORMAT=png or svg.
figures: $(VENV)/ready
	$(BIN)/python figures/all.py --format $(FORMAT)

clean:
	rm -rf $(VENV) $(LOWEST) $(DEMO) $(SITE)

$(VENV)/ready: pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and f"deeptheory needs Python 3.11 or newer, found {v.major}.{v.minor}; try: make PYTHON=python3.11 $(MAKECMDGOALS)")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --disable-pip-version-check --editable .
	touch $@

$(LOWEST)/ready: pyproject.toml .ci/lowest.py
	$(PYTHON) -m venv $(LOWEST)
	$(PYTHON) .ci/lowest.py > $(LOWEST)/versions.txt
	$(LOWEST)/bin/pip install --quiet --disable-pip-version-check --requirement $(LOWEST)/versions.txt
	$(LOWEST)/bin/pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

$(VENV)/ready-test: $(VENV)/ready
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@

$(VENV)/ready-docs: $(VENV)/ready
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[docs]'
	touch $@
