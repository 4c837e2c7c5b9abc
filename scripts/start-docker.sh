#!/usr/bin/env bash
# Makes a Docker engine answer: by systemd where it runs, else in the background. `make clean` stops the latter.
set -euo pipefail
cd "$(dirname "$0")/.."
log=$PWD/.tools/dockerd.log

say() { printf '\033[36msetup\033[0m %s\n' "$*" >&2; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
answers() { scripts/docker-answers.sh; }
may() { answers || [ $? = 2 ]; }

# A killed engine leaves its pid files. Its successor refuses to start when the number is another process's by now.
forget_stale() { # pid file, program
  [ -f "$1" ] || return 0
  [ "$(cat "/proc/$(cat "$1")/comm" 2>/dev/null)" = "$2" ] || as_root rm -f "$1"
}

may || if [ -d /run/systemd/system ]; then
  say "starting Docker"
  as_root systemctl enable --quiet --now docker
else
  say "starting Docker in the background (log: .tools/dockerd.log)"
  forget_stale /var/run/docker.pid dockerd
  forget_stale /var/run/docker/containerd/containerd.pid containerd
  as_root sh -c "setsid dockerd >>'$log' 2>&1 </dev/null & echo \$! >.tools/dockerd.pid"
fi
for _ in $(seq 150); do
  may && break
  sleep 0.2
done
if ! may; then
  printf '\033[31mError:\033[0m Docker did not start: %s\n\033[36mHint:\033[0m  %s\n' \
    "$(tail -n 1 "$log" 2>/dev/null || echo 'see journalctl -u docker')" \
    "In a container it needs --privileged. Start it by hand and run this again." >&2
  exit 1
fi
if ! answers; then
  say "adding $(id -un) to the group docker"
  as_root usermod -aG docker "$(id -un)"
fi
