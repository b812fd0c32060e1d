# The course in a few commands. They need Python 3.10 or later; everything else is installed into .venv.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: help course test check lab site save export readme benchmark clean

help:
	@echo "make course  run every notebook; pages to read go to _course/start.html"
	@echo "make test    all checks: notebooks clean, exported and fresh; nbdev_test; pytest"
	@echo "make lab     open the notebooks in JupyterLab"
	@echo "make site    render and serve the blog (needs quarto)"
	@echo "make save    run the notebooks whose code changed and store their outputs"
	@echo "make export  notebooks to package and README"
	@echo "make benchmark  time and memory of all attentions, about 15 minutes; result in benchmarks/"

$(READY): settings.ini setup.py constraints.txt
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@

course: $(READY)
	$(BIN)/python -m beyondtext.course
	@if command -v quarto >/dev/null; then PATH="$(CURDIR)/$(BIN):$$PATH" quarto render; else echo "quarto is not installed: the site was not rendered. The pages to read are in _course/start.html"; fi

test: $(READY)
	$(BIN)/python -m beyondtext.course --check
	OMP_NUM_THREADS=1 $(BIN)/nbdev_test --n_workers 2
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

lab: $(READY)
	$(BIN)/jupyter lab nbs

site: $(READY)
	PATH="$(CURDIR)/$(BIN):$$PATH" quarto preview

export: $(READY)
	$(BIN)/nbdev_export
	$(BIN)/python -m beyondtext.course --readme

save: $(READY)
	$(BIN)/python -m beyondtext.course --save --changed

benchmark: $(READY)
	$(BIN)/python benchmarks/attention.py

clean:
	rm -rf _course _site _proc build dist .pytest_cache .hypothesis
