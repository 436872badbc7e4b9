"""Tell where an environment lies in AWS, in lines that a workflow takes for the outputs of a step.

    python scripts/environments.py dev >>"$GITHUB_OUTPUT"

An environment is a folder of terraform/environments. Its terraform.tfvars.json, and nothing else,
says which account and region it is in. Where nobody has filled it in, the answer is there=false.
This needs no package, so that a workflow can ask before it installs anything.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TERRAFORM = Path(__file__).resolve().parent.parent / "terraform"
FILE = "terraform.tfvars.json"
PROTECTED = "prod"
SHAPES = {
    "account_id": (r"[0-9]{12}", "the 12 digits of an AWS account, in quotes"),
    "region": (r"[a-z]{2}(-[a-z]+)+-[0-9]", "a region of AWS, such as eu-west-1"),
    "image_repository_url": (
        r"[0-9]{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/[a-z0-9/_.-]+",
        "ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME, as bootstrap tells it",
    ),
}
"""What these values look like; the variables of Terraform say the same."""


class RefusedError(Exception):
    """What was asked for is not done; the message says why, and the mend."""

    status = 2


class FailedError(RefusedError):
    """What was begun did not end well."""

    status = 1


class AbsentError(RefusedError):
    """Nobody has filled in where it is."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account of AWS, and the region in it."""

    account_id: str
    region: str

    @property
    def state_bucket(self) -> str:
        """The bucket of Terraform's state; terraform/bootstrap has its name too."""
        return f"terraform-state-ashore-{self.account_id}"

    def role(self, purpose: str) -> str:
        """Return the role that a workflow assumes, for `plan` or `deploy`."""
        partitions = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
        found = [name for start, name in partitions.items() if self.region.startswith(start)]
        partition = found[0] if found else "aws"
        return f"arn:{partition}:iam::{self.account_id}:role/ashore-github-{purpose}"


@dataclass(frozen=True, slots=True)
class Environment:
    """One environment, as its terraform.tfvars.json has it."""

    name: str
    folder: Path
    account: Account
    image_repository_url: str

    @property
    def prefix(self) -> str:
        """What the names of all that belongs to it begin with."""
        return f"ashore-{self.name}"


def read_environment(name: str) -> Environment:
    """Return an environment by its name.

    Raises:
        RefusedError: there is none, or what has to be known of it is not written down.
    """
    known = sorted(file.parent.name for file in TERRAFORM.glob("environments/*/main.tf"))
    if name not in known:
        raise RefusedError(f'there is no environment "{name}"; known: {", ".join(known)}')
    folder = TERRAFORM / "environments" / name
    values = read_values(folder, "account_id", "region", "image_repository_url")
    account = Account(values["account_id"], values["region"])
    return Environment(name, folder, account, values["image_repository_url"])


def read_account() -> Account:
    """Return the account that terraform/bootstrap is for.

    Raises:
        RefusedError: it is not written down.
    """
    values = read_values(bootstrap_folder(), "account_id", "region")
    return Account(values["account_id"], values["region"])


def bootstrap_folder() -> Path:
    """Return where that account is set up."""
    return TERRAFORM / "bootstrap"


def read_values(folder: Path, *needed: str) -> dict[str, Any]:
    """Return what a folder's terraform.tfvars.json says.

    Raises:
        RefusedError: it is not there, is no JSON object, or lacks what is needed.
    """
    file = folder / FILE
    where = file.relative_to(TERRAFORM.parent)
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise AbsentError(
            f"there is no {where}; copy {FILE}.example to it and fill it in"
        ) from None
    except (OSError, ValueError) as error:
        raise RefusedError(f"{where} cannot be read as JSON: {error}") from error
    if not isinstance(values, dict):
        raise RefusedError(f"{where} is not a JSON object, as in {FILE}.example")
    for key in needed:
        shape, words = SHAPES[key]
        if not re.fullmatch(shape, str(values.get(key, ""))) or not isinstance(values[key], str):
            raise RefusedError(f"{where}: {key} must be {words}")
    return values


def outputs(name: str) -> dict[str, str]:
    """Return what a workflow has to know of an environment.

    Raises:
        RefusedError: there is no such environment, or it is filled in wrongly.
    """
    try:
        environment = read_environment(name)
    except AbsentError as absent:
        mark = "::notice::" if os.environ.get("GITHUB_ACTIONS") == "true" else "notice: "
        print(f"{mark}{name} is left out: {absent}", file=sys.stderr)
        return {"there": "false"}
    return {
        "there": "true",
        "region": environment.account.region,
        "plan_role": environment.account.role("plan"),
        "deploy_role": environment.account.role("deploy"),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Print what is known of an environment, a line each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("environment", help="a folder of terraform/environments, such as dev")
    try:
        found = outputs(parser.parse_args(argv).environment)
    except RefusedError as refused:
        print(f"environments: {refused}", file=sys.stderr)
        return refused.status
    print(*(f"{key}={value}" for key, value in found.items()), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
