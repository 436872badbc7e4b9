#!/bin/sh
# Run the checkers, or only the named ones: style, types, shell, lock, audit, image, terraform,
# policies, workflows. All of them run even after one has failed. One whose tool cannot be had is
# skipped in one line; in CI, where nobody reads that line, a skip is a failure. Only the audit may be
# skipped there too: where no vulnerability service can be reached, no change is at fault.
set -u
cd "$(dirname "$0")/.." || exit 1
PATH=$PWD/.venv/bin:$PWD/.poetry/bin:$PATH
[ -f "${TF_CLI_CONFIG_FILE:-}" ] || unset TF_CLI_CONFIG_FILE # Terraform warns of a missing one each time
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

[ $# -gt 0 ] || set -- style types shell lock audit image terraform policies workflows
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
    image) check hadolint src/Dockerfile ;;
    terraform)
        check terraform fmt -check -recursive terraform
        check python scripts/terraform_readmes.py --check
        ! command -v terraform >/dev/null || check sh scripts/validate.sh
        ;;
    policies)
        check .checkov/bin/checkov --skip-download --quiet --compact --framework terraform -d terraform
        ;;
    workflows)
        check zizmor --offline --quiet --no-progress .github
        check check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
        check check-jsonschema --quiet --builtin-schema vendor.github-actions .github/actions/*/action.yml
        check check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml
        ;;
    *)
        echo "lint.sh: no checker is called $name" >&2
        status=1
        ;;
    esac
done
exit "$status"
