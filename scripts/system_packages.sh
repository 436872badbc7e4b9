#!/bin/sh
# Install with apt-get what make and the tests need of the system, if any of it is missing. strace tells
# the tests in which order the disk is asked for what.
set -eu

has_all() { command -v make && command -v strace && python3 -c 'import ensurepip, venv'; }

as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }

if ! has_all >/dev/null 2>&1 && command -v apt-get >/dev/null; then
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -qq --no-install-recommends make python3-venv strace
fi
