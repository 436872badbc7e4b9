"""Show the log of an environment's tasks, made readable.

make logs ENV=dev
make logs ENV=dev ARGS="--since 7d --raw"
make logs ENV=dev ARGS=--follow
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from account import command_line, enter, run
from ashore.units import duration
from environments import RefusedError, read_environment
from reading import readable

if TYPE_CHECKING:
    import boto3

LOOK_SECONDS = 5.0
LONGEST_SECONDS = 24 * 3600.0
"""How long --follow goes on when nobody ends it."""
OVERLAP_MS = 60_000
"""Lines of several tasks arrive a little out of order: so far back is looked again."""


def main(argv: Sequence[str] | None = None) -> int:
    """Show the lines, and return 0."""
    options = arguments(argv)
    environment = read_environment(options.environment)
    session = enter(environment, options.profile)
    log = Log(session, f"/ecs/{environment.prefix}", int(1000 * (time.time() - options.since)))
    deadline = time.monotonic() + LONGEST_SECONDS
    while True:
        for message in log.new():
            print(message.rstrip("\n") if options.raw else readable(message), flush=True)
        if not options.follow or time.monotonic() > deadline:
            break
        time.sleep(LOOK_SECONDS)
    if not log.shown:
        print("logs: no line in that time; --since 7d looks further back", file=sys.stderr)
    return 0


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_line(__doc__)
    parser.add_argument("environment", help="a folder of terraform/environments, such as dev")
    parser.add_argument(
        "--since", default="1d", metavar="TIME", help="such as 30m, 12h or 7d (default: 1d)"
    )
    parser.add_argument("--follow", action="store_true", help="go on until Ctrl-C, a day at most")
    parser.add_argument("--raw", action="store_true", help="as they were written")
    options = parser.parse_args(argv)
    try:
        options.since = duration(options.since)
    except ValueError as error:
        raise RefusedError(f"--since: {error}") from error
    return options


class Log:
    """A group of logs, as far as it was shown."""

    def __init__(self, session: boto3.Session, group: str, since: int) -> None:
        self._logs = session.client("logs")
        self._group = group
        self._since = since
        self._seen: dict[str, int] = {}
        self.shown = False

    def new(self) -> Iterator[str]:
        """Yield what came since, the earliest first.

        Raises:
            RefusedError: there is no such log.
        """
        pages = self._logs.get_paginator("filter_log_events")
        try:
            for page in pages.paginate(logGroupName=self._group, startTime=self._since):
                for event in page["events"]:
                    if event["eventId"] not in self._seen:
                        self._seen[event["eventId"]] = event["timestamp"]
                        self.shown = True
                        yield event["message"]
        except self._logs.exceptions.ResourceNotFoundException:
            raise RefusedError(
                f"there is no log {self._group} here; make tf-apply makes it"
            ) from None
        self._forget()

    def _forget(self) -> None:
        latest = max(self._seen.values(), default=self._since)
        self._since = max(self._since, latest - OVERLAP_MS)
        self._seen = {name: at for name, at in self._seen.items() if at >= self._since}


if __name__ == "__main__":
    sys.exit(run(main))
