#!/usr/bin/env bash
# Whether a Docker engine answers; no Docker client is needed to ask. As root where we may not ask ourselves.
set -euo pipefail
case "${DOCKER_HOST:-unix:///var/run/docker.sock}" in
  unix://*) socket=${DOCKER_HOST:-unix:///var/run/docker.sock}; socket=${socket#unix://} ;;
  *) exit 0 ;; # somebody's own engine: the sandbox says what is wrong with it
esac
[ -S "$socket" ] || exit 1
exec python3 - "$socket" <<'PYTHON'
import socket, sys
try:
    link = socket.socket(socket.AF_UNIX)
    link.settimeout(5)
    link.connect(sys.argv[1])
    link.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
    sys.exit(b"200 OK" not in link.recv(200))
except PermissionError:
    sys.exit(2)  # it runs, but not for this user
except OSError:
    sys.exit(1)
PYTHON
