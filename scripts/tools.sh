#!/bin/sh
# Install the versions of .tool-versions where asdf is present, else say what is missing. Nothing
# here is needed to run or test ashore itself, so whatever fails is told and does not stop the rest.
set -u
cd "$(dirname "$0")/.." || exit 1

install_with_asdf() {
    if ! asdf where "$1" "$2" >/dev/null 2>&1 && ! asdf install "$1" "$2"; then
        echo "skipped: $1 $2: asdf could not install it (no plugin? asdf plugin add $1)"
    fi
}

say_if_missing() {
    case $1 in
    python | poetry) ;; # make sees to these itself
    *) command -v "$1" >/dev/null || echo "missing: $1 $2, for later targets (install it, or asdf)" ;;
    esac
}

if command -v asdf >/dev/null; then see_to=install_with_asdf; else see_to=say_if_missing; fi

# Descriptor 3, so that a build that reads its input does not swallow the list.
while read -r tool version <&3; do
    "$see_to" "$tool" "$version"
done 3<.tool-versions
