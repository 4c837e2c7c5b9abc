# `make demo` and `make test` set up what is missing first; a second run of either needs no network.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# Ours before the machine's; Debian keeps haproxy in sbin, which is not on everybody's PATH.
export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/.tools:$(PATH):/usr/local/sbin:/usr/sbin:/sbin
RUN := @scripts/with-docker.sh
WORKERS ?= 2
HISTORIES ?= 1000000
# These have a sandbox, one per process; a story is told in one process, from its beginning to its end.
SLOW := sandbox or terraform or e2e

.PHONY: help setup demo test soak lint bench clean

help: ## What there is
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 14

setup: ## Make this machine ready: packages, Docker, Terraform, the virtual environment
	@scripts/setup.sh

demo: setup ## Tell the story on the sandbox; ONCE=1 ends after it
	$(RUN) delivery demo $(if $(ONCE),--once)

test: lint ## Everything: ruff, mypy, and all tests, on the sandbox too
	$(RUN) pytest -n $(WORKERS) -m "not ($(SLOW))"
	$(RUN) pytest -n $(WORKERS) --dist loadfile -m "(sandbox or terraform) and not e2e"
	$(RUN) pytest -m e2e

soak: setup ## Play HISTORIES (a million) random histories against the promises
	@python -m delivery_tests.flows.properties.soak --histories $(HISTORIES) --processes $(WORKERS)

lint: setup ## Ruff and mypy
	@ruff check . && ruff format --check . && mypy

bench: setup ## Measure, side by side with the plain serial script
	@.venv/bin/pip install -q -e '.[bench]'
	$(RUN) python -m delivery_tests.bench

clean: ## Stop and remove everything of ours but the installed tools
	@scripts/clean.sh
