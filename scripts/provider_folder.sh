#!/bin/sh
# Print the folder from which Terraform takes its providers on this machine: TF_PLUGIN_DIR, or one that is
# there. Nothing: they come from the registry.
[ -z "${TF_PLUGIN_DIR:-}" ] || { echo "$TF_PLUGIN_DIR" && exit; }
find ~/.terraform.d/plugins /usr/local/share /usr/share/terraform /opt -maxdepth 2 -type d \
    -name registry.terraform.io -exec dirname {} \; 2>/dev/null | head -n 1
