#!/bin/sh
# Install with apt-get what make and the tests need of the system, if any of it is missing, and each PACKAGE that
# is given: of those, the command is called as the package is. strace tells the tests in which order the disk is
# asked for what.
set -eu

as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }

missing=
for package in make strace "$@"; do
    command -v "$package" >/dev/null || missing="$missing $package"
done
python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"

if [ -n "$missing" ] && command -v apt-get >/dev/null; then
    as_root apt-get update -qq
    # shellcheck disable=SC2086 # one word a package
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends $missing
fi
