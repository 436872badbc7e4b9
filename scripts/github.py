"""What a workflow asks of GitHub's API, beyond what its own file can say.

    python3 scripts/github.py comment plans     tell the plans of this folder in the pull request
    python3 scripts/github.py newest            say whether this commit is its branch's newest one

Where it runs is read from the variables that GitHub Actions sets
(https://docs.github.com/en/actions/reference/workflows-and-actions/variables), and GITHUB_TOKEN
must be given. This needs no package, so that a job that does nothing else installs nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from environments import FailedError, RefusedError

MARK = "<!-- ashore: plans of Terraform -->"
"""What this script's own comment begins with: so it is found again, and updated."""
AUTHOR = "github-actions[bot]"
"""Whose token a workflow has: https://docs.github.com/en/actions/concepts/security/github_token"""
LONGEST = 65_536
"""Characters that GitHub takes for a comment."""
DETAILS = "<details>"
PAGES = 50
SECONDS = 30.0


def main(argv: Sequence[str] | None = None) -> int:
    """Do what was asked for, and return an exit status."""
    options = arguments(argv)
    try:
        do: Callable[[argparse.Namespace], None] = options.do
        do(options)
    except RefusedError as refused:
        print(f"github: {refused}", file=sys.stderr)
        return refused.status
    return 0


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    comment = commands.add_parser("comment", help="tell plans in the pull request, in one comment")
    comment.add_argument("folder", type=Path, help="where the plans are, as Markdown; may be empty")
    comment.add_argument("--outcome", default="success", help="of planning, as GitHub calls it")
    comment.set_defaults(do=tell_plans)
    newest = commands.add_parser("newest", help="print newest=true, or newest=false")
    newest.set_defaults(do=tell_newest)
    return parser.parse_args(argv)


def tell_plans(options: argparse.Namespace) -> None:
    """Update the comment of the pull request, or make it."""
    plans = [file.read_text(encoding="utf-8") for file in sorted(options.folder.glob("*.md"))]
    failed = options.outcome != "success"
    issue = f"issues/{pull_request()}/comments"
    earlier = next(own_comments(issue), None)
    if not plans and not failed and earlier is None:
        print("no environment is planned, so there is nothing to tell")
        return
    body = {"body": composed(plans, failed=failed)}
    if earlier is None:
        told = ask(issue, "POST", body)
    else:
        told = ask(f"issues/comments/{earlier}", "PATCH", body)
    print(f"told in {told['html_url']}")


def tell_newest(_: argparse.Namespace) -> None:
    """Print whether this commit is its branch's newest one, for a step's outputs."""
    branch = given("GITHUB_REF").removeprefix("refs/")
    newest = ask(f"git/ref/{branch}")["object"]["sha"] == given("GITHUB_SHA")
    if not newest:
        print(f"::notice::not delivered, for a newer commit is on {branch}", file=sys.stderr)
    print(f"newest={str(newest).lower()}")


def composed(plans: Sequence[str], *, failed: bool) -> str:
    """Return the comment; where it would be too long, the longest plan is told in brief."""
    run = f"{given('GITHUB_SERVER_URL')}/{given('GITHUB_REPOSITORY')}"
    run = f"[this run]({run}/actions/runs/{given('GITHUB_RUN_ID')})"
    parts = [plan.strip() for plan in plans] or ["No environment is planned."]
    if failed:
        parts.insert(0, f"**Planning failed**: see the log of {run}.")
    while len(text := "\n\n".join([MARK, *parts, f"From {run}."])) > LONGEST:
        longest = max(parts, key=len)
        brief, found, _ = longest.partition(DETAILS)
        brief = brief[: LONGEST // 8] if found else longest[: LONGEST // 8]
        parts[parts.index(longest)] = f"{brief.strip()}\n\nToo long for here: see the log."
    return text


def own_comments(issue: str) -> Iterator[int]:
    """Yield the numbers of the comments that this script made."""
    for page in range(1, PAGES + 1):
        comments = ask(f"{issue}?per_page=100&page={page}")
        for comment in comments:
            if comment["user"]["login"] == AUTHOR and comment["body"].startswith(MARK):
                yield comment["id"]
        if len(comments) < 100:
            return


def pull_request() -> int:
    """Return the number of the pull request that is checked.

    Raises:
        RefusedError: it is none.
    """
    kind, _, rest = given("GITHUB_REF").removeprefix("refs/").partition("/")
    number = rest.partition("/")[0]
    if kind != "pull" or not number.isdigit():
        raise RefusedError("this is no run for a pull request: there is nothing to comment on")
    return int(number)


def ask(path: str, method: str = "GET", body: object = None) -> Any:  # noqa: ANN401 - JSON
    """Return what GitHub answers about this repository.

    Raises:
        FailedError: it refuses, or cannot be reached.
    """
    url = f"{given('GITHUB_API_URL')}/repos/{given('GITHUB_REPOSITORY')}/{path}"
    request = urllib.request.Request(
        url,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {given('GITHUB_TOKEN')}",
            "Content-Type": "application/json",
            "User-Agent": "ashore",
            "X-GitHub-Api-Version": "2022-11-28",
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return json.load(answer)
    except (OSError, ValueError) as error:  # an answer that is no JSON is a ValueError
        raise FailedError(f"{method} {path}: {error}") from error


def given(name: str) -> str:
    """Return a variable of GitHub Actions.

    Raises:
        RefusedError: it is not set.
    """
    value = os.environ.get(name)
    if not value:
        raise RefusedError(f"{name} is not set; this is for a workflow of GitHub Actions")
    return value


if __name__ == "__main__":
    sys.exit(main())
