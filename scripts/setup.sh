#!/usr/bin/env bash
# Makes a Debian or Ubuntu machine ready: Python environment, packages, Docker, Terraform and its provider.
# Does only what is missing; when nothing is, it takes a second and needs neither network nor root.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.tools:$PATH:/usr/local/sbin:/usr/sbin:/sbin"
mkdir -p .tools

say() { printf '\033[36msetup\033[0m %s\n' "$*" >&2; }
fail() { # what, hint
  printf '\033[31mError:\033[0m %s\n\033[36mHint:\033[0m  %s\n' "$1" "$2" >&2
  exit 1
}
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; return; fi
  command -v sudo >/dev/null || fail "Setup needs root for: $*." "Run it as root, or install sudo."
  sudo "$@"
}

# --- packages -----------------------------------------------------------------
find_python() {
  local name
  for name in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
    command -v "$name" >/dev/null &&
      "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$name"; return; }
  done
  return 1
}

missing_packages() {
  local python
  if python=$(find_python); then
    [ -x .venv/bin/python ] || "$python" -c 'import venv, ensurepip' 2>/dev/null || echo "${python##*/}-venv"
  else
    echo python3 python3-venv
  fi
  command -v haproxy >/dev/null || echo haproxy
  command -v docker-registry >/dev/null || echo docker-registry
  command -v git >/dev/null || echo git
  [ -e /etc/ssl/certs/ca-certificates.crt ] || echo ca-certificates
  command -v dockerd >/dev/null || scripts/docker-answers.sh || echo docker.io
  command -v docker >/dev/null || echo "$(docker_client)"
  # The tests ask the sandbox what strangers would ask it with these.
  command -v curl >/dev/null || echo curl
  command -v dig >/dev/null || echo bind9-dnsutils
}

docker_client() { # newer distributions keep the client apart from the engine
  if apt-cache show docker-cli >/dev/null 2>&1; then echo docker-cli; else echo docker.io; fi
}

packages=$(missing_packages | tr '\n' ' ')
if [ -n "${packages// /}" ]; then
  command -v apt-get >/dev/null ||
    fail "These programs are missing: $packages." "Install them with this system's package manager."
  say "installing $packages"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update >.tools/apt.log 2>&1 &&
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $packages \
      >>.tools/apt.log 2>&1 ||
    fail "apt-get could not install $packages: $(tail -n 1 .tools/apt.log)" "See .tools/apt.log."
  # The sandbox runs its own: the distribution's services would only take their ports.
  for service in haproxy docker-registry; do
    case " $packages " in *" $service "*) ;; *) continue ;; esac
    if [ -d /run/systemd/system ]; then
      as_root systemctl disable --quiet --now "$service" 2>/dev/null || true
    else
      as_root service "$service" stop >/dev/null 2>&1 || true
    fi
  done
fi
python=$(find_python) || fail "Python 3.11 or newer is missing." \
  "Install it and name it: make setup PYTHON=python3.12"

# --- Docker -------------------------------------------------------------------
scripts/docker-answers.sh || scripts/start-docker.sh

# The load balancers listen on port 80 of loopback addresses.
if [ "$(id -u)" != 0 ] && [ "$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" -gt 80 ]; then
  say "letting users listen on ports from 80 (net.ipv4.ip_unprivileged_port_start, until the next boot)"
  as_root sysctl -q -w net.ipv4.ip_unprivileged_port_start=80
fi

# --- the virtual environment ----------------------------------------------------
stamp=$(sha256sum setup.py | cut -d' ' -f1)
if [ "$(cat .venv/.installed 2>/dev/null)" != "$stamp" ]; then
  [ -x .venv/bin/python ] || { say "making .venv with $("$python" --version)"; "$python" -m venv .venv; }
  say "installing the Python packages of setup.py"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check -e '.[dev,sandbox]' 2>.tools/pip.log ||
    fail "pip could not install the packages: $(tail -n 1 .tools/pip.log)" "See .tools/pip.log."
  echo "$stamp" >.venv/.installed
fi

# --- the AWS CLI: a stranger to the sandbox, in an environment of its own ---------
if ! .tools/aws --version >/dev/null 2>&1; then
  say "installing the AWS CLI into .tools"
  [ -x .tools/awscli/bin/python ] || "$python" -m venv .tools/awscli
  .tools/awscli/bin/python -m pip install --quiet --disable-pip-version-check 'awscli>=1.46,<2' 2>.tools/pip.log ||
    fail "pip could not install the AWS CLI: $(tail -n 1 .tools/pip.log)" "See .tools/pip.log."
  ln -sf awscli/bin/aws .tools/aws
fi

# --- Terraform ------------------------------------------------------------------
.venv/bin/python scripts/terraform.py
