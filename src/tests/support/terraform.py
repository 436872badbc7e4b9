"""Run Terraform on a copy of the configuration, with providers from this machine if it has them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[3]
CONFIGURATION = CHECKOUT / "terraform"
SECONDS = 900.0
"""A bound for each command, which takes a minute or two."""


class NoTerraformError(Exception):
    """Terraform cannot be run here, and the message says why."""


@dataclass(frozen=True, slots=True)
class Terraform:
    """Terraform in one folder."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, *words: str, exits: tuple[int, ...] = (0,)) -> str:
        """Run a command that has to end with one of these statuses; return what it said."""
        ended = subprocess.run(
            [program(), *words, "-no-color"],
            cwd=self.folder,
            env=settings(self.environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        assert ended.returncode in exits, f"terraform {words[0]}: {ended.stdout}{ended.stderr}"
        return ended.stdout

    def initialise(self) -> None:
        """Make the folder ready without a backend."""
        self.run("init", "-input=false", "-backend=false")

    def changes(self) -> str:
        """What another apply would change: nothing, if the text is empty."""
        said = self.run("plan", "-input=false", "-detailed-exitcode", exits=(0, 2))
        return "" if "No changes." in said else said

    def outputs(self) -> dict[str, Any]:
        """The outputs of what was applied."""
        document = json.loads(self.run("output", "-json"))
        return {name: each["value"] for name, each in document.items()}

    def resources(self) -> list[str]:
        """The addresses of all that was made."""
        lines = self.run("state", "list").splitlines()
        return [line for line in lines if ".data." not in f".{line}"]


def program() -> str:
    """Return where Terraform is.

    Raises:
        NoTerraformError: it is nowhere.
    """
    found = shutil.which("terraform")
    if found is None:
        raise NoTerraformError("Terraform is not installed; .tool-versions names its version")
    return found


def settings(extra: Mapping[str, str]) -> dict[str, str]:
    """The variables for Terraform: this machine's own, but no account and no configuration."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "TF_")) or name == "TF_PLUGIN_DIR"
    }
    folder = provider_folder()
    local = {"TF_CLI_ARGS_init": f"-plugin-dir={folder}"} if folder else {}
    return {**kept, **local, "CHECKPOINT_DISABLE": "1", **extra}


def provider_folder() -> str:
    """The folder in which this machine keeps providers; empty: they come from the registry."""
    script = ["sh", str(CHECKOUT / "scripts" / "provider_folder.sh")]
    return subprocess.run(script, capture_output=True, text=True, check=True).stdout.strip()


def copy_of_the_configuration(to: Path) -> Path:
    """Copy what is committed, without what earlier runs left; return the copy's `terraform`."""
    leftovers = shutil.ignore_patterns(".terraform", "*.tfstate*", "terraform.tfvars.json")
    return Path(shutil.copytree(CONFIGURATION, to / "terraform", ignore=leftovers))
