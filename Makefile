# Two commands: `make demo` shows it, `make test` proves it. Both make .venv themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo serve test fuzz campaign bench lint types coverage clean chromium

demo: $(VENV)/.installed
	$(BIN)/image-similarity demo demo

# The page of what `make demo` made.
serve: demo/data
	$(BIN)/image-similarity serve --workspace demo/data

demo/data:
	$(MAKE) demo

# A thread each for arithmetic, or they wait for one another; one worker more than two processors, for tests wait for
# processes and sockets a part of the time.
test coverage: export OPENBLAS_NUM_THREADS := 1
test coverage: export OMP_NUM_THREADS := 1

test: $(VENV)/.developed chromium
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

# What `make test` asks of each public door a few times, asked so many times each.
EXAMPLES ?= 2000
fuzz: export OPENBLAS_NUM_THREADS := 1
fuzz: export OMP_NUM_THREADS := 1
fuzz: $(VENV)/.developed
	FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest --numprocesses 2 tests/fuzz tests/service/test_schema.py \
		tests/images/test_image_metadata.py

# Kills, races, full disks, damaged images and attacks on real processes; `make campaign MINUTES=60` for long.
MINUTES ?= 9
campaign: export OPENBLAS_NUM_THREADS := 1
campaign: export OMP_NUM_THREADS := 1
campaign: $(VENV)/.developed
	$(BIN)/python -m campaign --minutes $(MINUTES)

# Small sizes; `make bench SCALE=full` has those of docs/performance.md and takes far longer.
SCALE ?= quick
PHOTOS ?= ../shared/data/luma/images
bench: $(VENV)/.benched
	$(BIN)/python bench/startup.py --rounds 5
	$(BIN)/python bench/search.py --scale $(SCALE)
	$(BIN)/python bench/allpairs.py --scale $(SCALE)
	$(BIN)/python bench/products.py
	$(BIN)/python bench/switch.py
	$(BIN)/python bench/embed.py $(if $(filter quick,$(SCALE)),--images 4)
	$(BIN)/python bench/first_version.py $(if $(filter quick,$(SCALE)),--images 32 --singly 3) $(if $(wildcard $(PHOTOS)),--photos $(PHOTOS))
	$(BIN)/python bench/serve.py $(if $(filter quick,$(SCALE)),--seconds 5 --clients 8 32,--steady 600)
	$(BIN)/python bench/pipeline.py $(if $(filter quick,$(SCALE)),--memory 500 5000) $(if $(wildcard $(PHOTOS)),--photos $(PHOTOS))

lint: $(VENV)/.developed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.developed
	$(BIN)/mypy

coverage: $(VENV)/.developed chromium
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder
	$(BIN)/python -m coverage combine
	$(BIN)/python -m coverage report --fail-under=90

# The tests of the page need a browser; never fails, they are skipped without one.
chromium:
	@sh tests/support/install_chromium.sh

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[serve]"
	touch $@

$(VENV)/.developed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	touch $@ $(VENV)/.installed

$(VENV)/.benched: bench/requirements.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[serve]" --requirement bench/requirements.txt
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) demo .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
