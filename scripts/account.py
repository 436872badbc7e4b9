"""The way into an account of AWS; shared by the scripts that act there.

No script acts in another account than the environment's, and none in prod but from its workflow.
boto3 finds credentials as the AWS CLI does (keys, assumed roles, SSO); the CLI itself is needed
only to log in.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    ProfileNotFound,
)

from ashore.errors import Misconfigured
from environments import PROTECTED, Account, Environment, FailedError, RefusedError

PATIENT = Config(
    connect_timeout=10,
    read_timeout=30,
    # Throttling is waited for: a task is looked at hundreds of times while it runs.
    retries={"mode": "standard", "total_max_attempts": 8},
)
BRIEF = Config(connect_timeout=5, read_timeout=15, retries={"total_max_attempts": 2})
"""For the first question of all: whoever cannot be reached is told so soon."""

AWS_ERRORS = (BotoCoreError, ClientError)


def enter(environment: Environment, profile: str) -> boto3.Session:
    """Return a session in an environment's account.

    Raises:
        RefusedError: there are no valid credentials, they are of another account, or a person asks
            for prod.
    """
    if environment.name == PROTECTED and os.environ.get("GITHUB_ACTIONS") != "true":
        raise RefusedError(
            f"{PROTECTED} is changed by its workflow only, after an approval: nothing was done"
        )
    return enter_account(environment.account, profile)


def enter_account(account: Account, profile: str) -> boto3.Session:
    """Return a session in just this account; without a profile, of the environment's credentials.

    Raises:
        RefusedError: there are no valid credentials, or they are of another account.
    """
    whose = f'the profile "{profile}"' if profile else "the credentials of the environment"
    try:
        core = botocore.session.Session(profile=profile or None)
        core.set_default_client_config(PATIENT)
        session = boto3.Session(botocore_session=core, region_name=account.region)
        found = session.client("sts", config=BRIEF).get_caller_identity()["Account"]
    except (*AWS_ERRORS, ValueError) as error:  # an endpoint that is no URL is a ValueError
        raise RefusedError(
            f"{whose} cannot be used: {told(error)}; {mend(error, profile)}"
        ) from error
    if found != account.account_id:
        raise RefusedError(
            f"{whose} is of account {found}, and this is for {account.account_id}: nothing was done"
        )
    return session


def mend(error: Exception, profile: str) -> str:
    """Return what to do where credentials cannot be used."""
    if isinstance(error, ProfileNotFound):
        return "make it (aws configure sso, or aws configure), or name another: PROFILE=..."
    if isinstance(error, NoCredentialsError) and not profile:
        return "name a profile (PROFILE=dev), or set AWS_ACCESS_KEY_ID and its companions"
    if profile:
        return f"log in (aws sso login --profile {profile}), or name another: PROFILE=..."
    return "get new ones, or name a profile: PROFILE=dev"


def told(error: Exception) -> str:
    """Return what AWS said, on one line."""
    return " ".join(str(error).split()).rstrip(".")


def command_line(documentation: str | None) -> argparse.ArgumentParser:
    """Return the beginnings of a script's command line."""
    parser = argparse.ArgumentParser(
        description=documentation, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--profile",
        default=os.environ.get("PROFILE", "dev"),
        help="the AWS profile; empty: credentials of the environment (default: PROFILE, or dev)",
    )
    return parser


def run(main: Callable[[Sequence[str] | None], int]) -> int:
    """Run a script's main function; what it refuses is one line, and a status of its own."""
    name = Path(sys.argv[0]).stem
    # Whatever ends a script, what it began is cleared away.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return main(None)
    except RefusedError as refused:
        print(f"{name}: {refused}", file=sys.stderr)
        return refused.status
    except Misconfigured as wrong:  # what ashore itself would refuse
        print(f"{name}: {wrong}", file=sys.stderr)
        return RefusedError.status
    except AWS_ERRORS as error:
        print(f"{name}: AWS refuses: {told(error)}", file=sys.stderr)
        return RefusedError.status
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FailedError.status
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return 130
