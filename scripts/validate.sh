#!/bin/sh
# Let Terraform validate the folders that it is applied in, each with the module that it uses. No account
# is asked, and what this writes lies apart from what `make tf-plan` writes. Where the provider
# cannot be had, one line says so, and in CI, where nobody reads that line, it is a failure.
set -u
cd "$(dirname "$0")/.." || exit 1
export CHECKPOINT_DISABLE=1

folder=$(sh scripts/provider_folder.sh)
if [ -z "$folder" ]; then
    # Fetched once for all of them.
    export TF_PLUGIN_CACHE_DIR="$PWD/.terraform/providers"
    mkdir -p "$TF_PLUGIN_CACHE_DIR"
fi
status=0
for root in terraform/bootstrap terraform/environments/*; do
    export TF_DATA_DIR="$PWD/.terraform/$root"
    if ! said=$(terraform -chdir="$root" init -input=false -no-color -backend=false -lockfile=readonly \
        ${folder:+"-plugin-dir=$folder"} 2>&1); then
        case $said in
        *'could not connect to'*)
            echo "skipped: the provider that $root names cannot be had: no TF_PLUGIN_DIR, no registry"
            [ "${CI:-}" != true ] || status=1
            continue
            ;;
        esac
        echo "$said"
        status=1
    elif ! said=$(terraform -chdir="$root" validate -no-color 2>&1); then
        echo "$said"
        status=1
    fi
done
exit "$status"
