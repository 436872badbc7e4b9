"""Start today's task of an environment now, and follow its log to its exit status.

    make run-once ENV=dev
    make run-once ENV=dev ARGS="--date 2026-11-24"

The task is the one that the daily rule starts, with this moment as its scheduled one; on a complete
day it sends no request. This ends with the task's own exit status, and with 1 where it never ran.
Ctrl-C ends the following, and not the task.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Sequence

import tasks
from account import command_line, enter, run
from ashore.dates import parse_date
from environments import RefusedError, read_environment


def main(argv: Sequence[str] | None = None) -> int:
    """Run it, and return the task's exit status."""
    parser = command_line(__doc__)
    parser.add_argument("environment", help="a folder of terraform/environments, such as dev")
    parser.add_argument("--date", help="the extraction date: today (UTC) or yesterday")
    options = parser.parse_args(argv)
    environment = read_environment(options.environment)
    variables = moment(options.date, dt.datetime.now(dt.UTC))
    session = enter(environment, options.profile)
    tasks.require_release(session, environment)
    task = tasks.scheduled(session, environment)
    started = tasks.start(session, task, variables, "run_once")
    return tasks.follow(session, started)


def moment(text: str | None, now: dt.datetime) -> dict[str, str]:
    """Return what the task is told of its day.

    Raises:
        Misconfigured: it is no date.
        RefusedError: it is a day that ashore itself would refuse.
    """
    if text is None:
        return {"ASHORE_SCHEDULED_AT": now.isoformat(timespec="seconds").replace("+00:00", "Z")}
    date = parse_date(text, "--date")
    if date > now.date():
        raise RefusedError(f"--date: {date} is in the future; in UTC it is {now.date()}")
    if date < now.date() - dt.timedelta(days=1):
        raise RefusedError(f"--date: {date} is long past; make backfill tells what that means")
    return {"ASHORE_DATE": date.isoformat()}


if __name__ == "__main__":
    sys.exit(run(main))
