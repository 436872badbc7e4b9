#!/bin/sh
# Run the checkers, or only the named ones: style, types, shell, lock, audit, image, terraform. All
# of them run even after one has failed. One whose tool cannot be had is skipped in one line; in CI,
# where nobody reads that line, a skip is a failure. Only the audit may be skipped there too: where
# no vulnerability service can be reached, no change is at fault.
set -u
cd "$(dirname "$0")/.." || exit 1
PATH=$PWD/.venv/bin:$PWD/.poetry/bin:$PATH
status=0

# check TOOL ARGUMENT...
check() {
    if command -v "$1" >/dev/null; then
        echo "- $*"
        "$@" || status=1
    else
        echo "skipped: $1 is not installed"
        [ "${CI:-}" != true ] || status=1
    fi
}

[ $# -gt 0 ] || set -- style types shell lock audit image terraform
for name in "$@"; do
    case $name in
    style)
        check ruff check --quiet
        check ruff format --check --quiet
        ;;
    types) check mypy ;;
    shell) check shellcheck scripts/*.sh .ci/run ;;
    lock) check poetry check --lock ;;
    audit) check python scripts/audit.py ;;
    image) [ ! -f src/Dockerfile ] || check hadolint src/Dockerfile ;;
    terraform) [ ! -d terraform ] || check terraform fmt -check -recursive terraform ;;
    *)
        echo "lint.sh: no checker is called $name" >&2
        status=1
        ;;
    esac
done
exit "$status"
