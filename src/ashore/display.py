"""What people see: the progress bar while a run goes on, and tables of what came of it."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ashore.cost import Cost
from ashore.errors import ExitStatus
from ashore.forecast import Plan
from ashore.job import Outcome
from ashore.ledger import Failure
from ashore.progress import Observer
from ashore.receipts import Receipt
from ashore.redaction import on_one_line
from ashore.units import human_bytes, human_seconds
from ashore.verify import Verdict

_VIOLATIONS_TOLD = 20


def console(*, stderr: bool = True) -> Console:
    """Return a console on standard error, or on standard output."""
    # What is shown may hold :words: that rich takes for pictures.
    return Console(stderr=stderr, soft_wrap=True, highlight=False, emoji=False)


def shown(text: object) -> str:
    """Return text as it may be shown: on one line, no control characters, no markup."""
    return escape(on_one_line(str(text)))


class ProgressBar(Observer):
    """Shows a run on a terminal: requests done, of how many, pace, retries and time left."""

    def __init__(self, console: Console) -> None:
        """Show runs on a console."""
        self._console = console
        self._bar: Progress | None = None
        self._total = self._sent = self._retries = 0
        self._began = 0.0

    def begun(self, source: str, date: str, location: str, run_id: str) -> None:
        """Show a new bar."""
        self._total = self._sent = self._retries = 0
        self._began = time.monotonic()
        self._console.print(f"[bold]{source}[/] {date} → {shown(location)}  [dim]run {run_id}[/]")
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[pace]}"),
            TextColumn("{task.fields[retries]}"),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._task = self._bar.add_task(source, total=0, pace="", retries="")
        self._bar.start()

    def expected(self, sets: int) -> None:
        """Make the bar longer."""
        self._total += sets
        if self._bar:
            self._bar.update(self._task, total=self._total)

    def sent(self, requests: int) -> None:
        """Show the pace."""
        self._sent = requests
        seconds = max(time.monotonic() - self._began, 0.001)
        if self._bar:
            self._bar.update(self._task, pace=f"{requests / seconds:.1f} requests/s")

    def landed(self, receipts: Sequence[Receipt]) -> None:
        """Move the bar on."""
        if self._bar:
            self._bar.update(self._task, advance=len(receipts))

    def retried(self, path: str, reason: str, attempt: int) -> None:  # noqa: ARG002 - an Observer
        """Count a retry, and say why above the bar."""
        self._retries += 1
        if self._bar:
            self._bar.update(self._task, retries=f"[yellow]{self._retries} retries[/]")

    def failed(self, failure: Failure) -> None:
        """Say above the bar what is lost."""
        where = shown(failure.object)
        self._console.print(f"[red]failed[/] {where}: {shown(failure.reason)}")

    def ended(self, outcome: Outcome) -> None:
        """Let the bar stand as it is, and say what went wrong."""
        if self._bar:
            self._bar.stop()
            self._bar = None
        for violation in outcome.violations[:_VIOLATIONS_TOLD]:
            self._console.print(f"[red]violated[/] {shown(violation)}")
        if outcome.status is not ExitStatus.COMPLETE:
            self._console.print(f"[red]{outcome.outcome}[/]: {shown(outcome.reason)}")
            self._console.print(f"safe: {shown(outcome.safe)}")
            self._console.print(f"next: {shown(outcome.next)}")


@contextlib.contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show on a terminal how many are done, and of how many."""
    if not sys.stderr.isatty():
        yield lambda _done, _of: None
        return
    columns = [*Progress.get_default_columns(), MofNCompleteColumn()]
    with Progress(*columns, console=console(), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)


def ledger(ended: Outcome) -> Table:
    """Return the ledger of a day as a table."""
    table = Table(title=f"{ended.day.source} {ended.day.date}", title_justify="left")
    for heading in ("endpoint", "expected", "landed", "missing", "records", "declared", "checks"):
        numeric = heading not in {"endpoint", "checks"}
        table.add_column(heading, justify="right" if numeric else "left")
    for name, entry in ended.document["ledger"].items():
        declared = entry["declared_total"]
        figures = [entry[key] for key in ("expected", "landed", "missing", "records")]
        checks = ", ".join(f"{check['name']} {check['verdict']}" for check in entry["checks"])
        shown_total = "-" if declared is None else str(declared)
        table.add_row(shown(name), *map(str, figures), shown_total, shown(checks) or "-")
    return table


def outcome(ended: Outcome) -> dict[str, object]:
    """Return how an extraction ended, as ``--json`` has it."""
    return {
        "source": ended.day.source,
        "extraction_date": str(ended.day.date),
        "outcome": ended.outcome,
        "exit_status": int(ended.status),
        "reason": ended.reason,
        "safe": ended.safe,
        "next": ended.next,
        "run_id": ended.run_id,
        "violations": ended.violations,
        "statement": ended.document,
    }


def summary(ended: Outcome) -> str:
    """Return one line about what a run did."""
    document = ended.document
    requests = document["requests"]
    return (
        f"{document['objects']} objects, {human_bytes(document['bytes'])}; requests sent "
        f"{requests['sent']}, retried {requests['retried']}, objects adopted {requests['adopted']}"
    )


def forecast(plan: Plan) -> Table:
    """Return what an extraction would request as a table."""
    least = "at least " if plan.at_least else ""
    many = f"{plan.requests} request{'' if plan.requests == 1 else 's'}"
    title = f"{plan.source}: {least}{many}, {least}{human_seconds(plan.minutes * 60)}"
    title += f" at {plan.pace}"
    if plan.objects is not None and plan.bytes is not None:
        title += f"; about {plan.objects} objects, {human_bytes(plan.bytes)}"
    table = Table(title=title, title_justify="left")
    table.add_column("endpoint")
    table.add_column("requests", justify="right")
    table.add_column("how it is known")
    for each in plan.endpoints:
        requests = "?" if each.requests is None else str(each.requests)
        table.add_row(each.endpoint, requests, each.basis)
    return table


def bill(cost: Cost) -> list[str]:
    """Return what a schedule costs: the sum and its parts, the prices, what is assumed."""
    how = "at least" if cost.at_least else "about"
    parts = {
        "Fargate": cost.fargate,
        "its public address": cost.public_address,
        "requests to S3": cost.s3_requests,
        "a month of landed days in S3": cost.s3_storage,
    }
    told = ", ".join(f"{name} {_price(amount)}" for name, amount in parts.items())
    prices = f"list prices of {cost.region} as known on {cost.prices_known_on}"
    return [
        f"in AWS, once a day: {how} {_price(cost.total)} {cost.currency} a month: {told}",
        f"{prices}, check before quoting; alarms, logs and images come on top",
        f"assumed: {'; '.join(cost.assumptions)}",
    ]


def _price(amount: float) -> str:
    return "under 0.01" if 0 < amount < 0.01 else f"{amount:.2f}"


def verdict(found: Verdict) -> str:
    """Return one line about a day that was read back."""
    name = f"{found.day.source} {found.day.date}"
    if found.holds:
        return f"{name}: {found.objects} objects, {human_bytes(found.bytes)}: all as they landed"
    return f"{name}: does not hold, {len(found.problems)} problems"
