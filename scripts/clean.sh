#!/usr/bin/env bash
# Stops and removes what we made: sandboxes, containers, networks, images, state folders, a dockerd of ours.
# Keeps what was installed (.venv, .tools), so that the next run needs no network.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH:/usr/local/sbin:/usr/sbin:/sbin"

if [ -x .venv/bin/python ]; then
  scripts/with-docker.sh python scripts/clean.py
fi
if [ -f .tools/dockerd.pid ]; then
  pid=$(cat .tools/dockerd.pid)
  if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ]; then
    if [ "$(id -u)" = 0 ]; then kill "$pid"; else sudo kill "$pid"; fi
    while [ -d "/proc/$pid" ]; do sleep 0.1; done
  fi
  rm -f .tools/dockerd.pid
fi
rm -rf .sandbox .demo .dagster .work .pytest_cache .mypy_cache .ruff_cache .hypothesis
find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
