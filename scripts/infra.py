"""Plan, apply or destroy an environment in AWS with Terraform, in its own account and in no other.

    make tf-plan ENV=dev
    make tf-apply ENV=dev
    make tf-destroy ENV=dev CONFIRM=ashore-dev

Terraform gets the credentials themselves, as boto3 found them for the profile, and not the
profile's name: so every kind of profile works that boto3 knows, and both act as the same caller.
At a terminal Terraform asks before it applies; without one, as in a workflow, it does not.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from account import command_line, enter, run
from environments import Account, Environment, FailedError, RefusedError, read_environment

if TYPE_CHECKING:
    import boto3

COMMENT = 65_536 - 1_536
"""What GitHub takes for a comment ("maximum is 65536 characters" says its API), less some room for
what a workflow adds."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run Terraform and return its exit status."""
    options = arguments(argv)
    environment = read_environment(options.environment)
    if options.command == "destroy" and options.confirm != environment.prefix:
        raise RefusedError(
            f"this destroys {environment.prefix} and all that landed in it; "
            f"if you mean it: make tf-destroy ENV={environment.name} CONFIRM={environment.prefix}"
        )
    terraform = prepared(environment, enter(environment, options.profile))
    if options.summary is None:
        return terraform.run(*words(options))
    status, text = terraform.heard(*words(options))
    options.summary.write_text(summary(environment.name, text), encoding="utf-8")
    return status


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_line(__doc__)
    parser.add_argument("command", choices=("plan", "apply", "destroy"))
    parser.add_argument("environment", help="a folder of terraform/environments, such as dev")
    parser.add_argument("--confirm", default="", metavar="NAME", help="destroy: what goes, by name")
    parser.add_argument("--no-lock", action="store_true", help="plan: for who may only read")
    parser.add_argument(
        "--summary",
        type=Path,
        metavar="FILE",
        help="plan: also write it as Markdown, short enough for a comment on GitHub",
    )
    options = parser.parse_args(argv)
    if options.command != "plan" and (options.no_lock or options.summary):
        parser.error("--no-lock and --summary are for plan")
    return options


def words(options: argparse.Namespace) -> list[str]:
    """Return what Terraform is told to do."""
    lock = "-lock=false" if options.no_lock else "-lock-timeout=5m"
    if options.command == "plan":
        return ["plan", "-input=false", lock]
    return [options.command, lock, *approval(sure=options.command == "destroy")]


def approval(*, sure: bool) -> list[str]:
    """Return how Terraform is to be sure that its plan is meant."""
    return ["-input=false", "-auto-approve"] if sure or not sys.stdin.isatty() else []


def apply(environment: Environment, session: boto3.Session) -> int:
    """Apply an environment without asking, and return Terraform's exit status."""
    terraform = prepared(environment, session)
    return terraform.run("apply", "-lock-timeout=5m", *approval(sure=True))


def prepared(environment: Environment, session: boto3.Session) -> Terraform:
    """Return Terraform, ready in an environment's folder."""
    terraform = Terraform(environment.folder, session)
    terraform.initialise(environment.account, f"environments/{environment.name}.tfstate")
    return terraform


class Terraform:
    """Terraform in one folder, with the credentials of a session."""

    def __init__(self, folder: Path, session: boto3.Session) -> None:
        self._program = find_terraform()
        self._folder = folder
        self._environment = handed_over(session)

    def initialise(self, account: Account, key: str) -> None:
        """Make the folder ready, with its state in the account's bucket.

        Raises:
            FailedError: Terraform could not.
        """
        backend = {
            "bucket": account.state_bucket,
            "key": key,
            "region": account.region,
            "encrypt": "true",
            "use_lockfile": "true",
        }
        settings = [f"-backend-config={name}={value}" for name, value in backend.items()]
        plugins = os.environ.get("TF_PLUGIN_DIR")
        given = [f"-plugin-dir={plugins}"] if plugins else []
        if self.run("init", "-input=false", "-reconfigure", *given, *settings):
            raise FailedError("terraform init failed; the reason stands above")

    def run(self, *words: str) -> int:
        """Run a command and return its exit status."""
        sys.stdout.flush()
        command = [self._program, *words]
        ended = subprocess.run(command, cwd=self._folder, env=self._environment, check=False)
        return ended.returncode

    def outputs(self) -> dict[str, Any]:
        """Return the outputs of what was applied.

        Raises:
            FailedError: Terraform does not tell them.
        """
        ended = subprocess.run(
            [self._program, "output", "-json"],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            check=False,
        )
        if ended.returncode:
            raise FailedError("terraform output failed; the reason stands above")
        return dict(json.loads(ended.stdout))

    def heard(self, *words: str) -> tuple[int, str]:
        """Run a command; return its exit status, and all that it said besides saying it."""
        said = []
        with subprocess.Popen(
            [self._program, *words, "-no-color"],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        ) as process:
            for line in process.stdout or ():
                print(line, end="", flush=True)
                said.append(line)
        return process.returncode, "".join(said)


def find_terraform() -> str:
    """Return Terraform's program.

    Raises:
        RefusedError: it is not installed.
    """
    program = shutil.which("terraform")
    if program is None:
        raise RefusedError(
            "Terraform is not installed: asdf install does it (see .tool-versions), "
            "or https://developer.hashicorp.com/terraform/install"
        )
    return program


def handed_over(session: boto3.Session) -> dict[str, str]:
    """Return the environment of a program that is to act as a session does.

    Raises:
        RefusedError: the session has no credentials.
    """
    credentials = session.get_credentials()
    if credentials is None:
        raise RefusedError("there are no credentials; name a profile: PROFILE=dev")
    keys = credentials.get_frozen_credentials()
    given = {
        "AWS_ACCESS_KEY_ID": keys.access_key,
        "AWS_SECRET_ACCESS_KEY": keys.secret_key,
        "AWS_SESSION_TOKEN": keys.token,
        "AWS_REGION": session.region_name,
        # Would win over the keys.
        "AWS_PROFILE": None,
        "AWS_DEFAULT_PROFILE": None,
    }
    merged: dict[str, str | None] = {**os.environ, **given}
    return {name: value for name, value in merged.items() if value is not None}


def summary(name: str, text: str, limit: int = COMMENT) -> str:
    """Return what Terraform said as Markdown; of what is too long the middle is left out."""
    told = re.findall(r"(?m)^(?:Plan: .*|No changes\..*|.*Error: .*)$", text)
    head = f"### Terraform: {name}\n\n{told[-1].strip() if told else 'See below.'}\n\n"
    # A fence longer than any in the text: what a plan holds cannot end it.
    fence = "`" * max(4, *(len(run) + 1 for run in re.findall("`+", text)), 0)
    head += f"<details><summary>All of it</summary>\n\n{fence}text\n"
    tail = f"\n{fence}\n\n</details>\n"
    return head + shortened(text.strip(), limit - len(head) - len(tail)) + tail


def shortened(text: str, limit: int) -> str:
    """Return a text of at most so many characters."""
    if len(text) <= limit:
        return text
    gap = "\n\n... (left out here; the log of the job has all of it) ...\n\n"
    half = (limit - len(gap)) // 2
    return text[:half] + gap + text[-half:]


if __name__ == "__main__":
    sys.exit(run(main))
