#!/usr/bin/env bash
# Runs a command with access to Docker, also right after `make setup` put this user into Docker's group,
# which a shell that is already open does not know yet.
set -euo pipefail
socket=/var/run/docker.sock
if [ -z "${DOCKER_HOST:-}" ] && [ -S "$socket" ] && [ ! -w "$socket" ] &&
  getent group docker | cut -d: -f4 | tr , '\n' | grep -qx "$(id -un)"; then
  exec sg docker -c "$(printf '%q ' "$@")"
fi
exec "$@"
