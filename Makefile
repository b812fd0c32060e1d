# The course in a few commands. They need Python 3.11 or later; everything else is installed into .venv. The README has the same without make.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
COURSE := $(VENV)/.course
DEV    := $(VENV)/.dev

.PHONY: help course test check lab site save export readme benchmark clean

help:
	@echo "make course  run every notebook; pages to read go to _course/start.html"
	@echo "make test    all checks: notebooks clean, exported and fresh; what has not run yet; pytest"
	@echo "make lab     open the notebooks in JupyterLab"
	@echo "make site    render and serve the blog (needs quarto)"
	@echo "make save    run the experiments and notebooks whose code changed and store what comes out"
	@echo "make export  notebooks to package and README"
	@echo "make benchmark  time and memory of all attentions, about 15 minutes; result in benchmarks/"

$(COURSE): settings.ini setup.py constraints.txt
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[course]"
	touch $@

$(DEV): $(COURSE)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@

course: $(COURSE)
	$(BIN)/python -m beyondtext.dev.course

test: $(DEV)
	$(BIN)/python -m beyondtext.dev.course --test

lab: $(DEV)
	$(BIN)/jupyter lab nbs

site: $(DEV)
	PATH="$(CURDIR)/$(BIN):$$PATH" quarto preview

export: $(DEV)
	$(BIN)/nbdev_export
	$(BIN)/python -m beyondtext.dev.course --cells
	$(BIN)/python -m beyondtext.dev.course --readme

save: $(DEV)
	$(BIN)/python -m beyondtext.dev.course --experiments
	$(BIN)/python -m beyondtext.dev.course --save --changed

benchmark: $(DEV)
	$(BIN)/python benchmarks/attention.py

clean:
	rm -rf _course _site _proc build dist .pytest_cache .hypothesis .mypy_cache .import_linter_cache
