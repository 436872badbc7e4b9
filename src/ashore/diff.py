"""What changed between two landed days of a source: records, fields, shape, bytes."""

import contextlib
import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ashore.catalog import Endpoint, Source
from ashore.comparison import Comparison, EndpointComparison, Objects
from ashore.drift import MOST_FIELDS, drift
from ashore.errors import Misconfigured, Violated, nearest
from ashore.findings import Findings
from ashore.intake import Intake
from ashore.landed import LandedDay, read_day
from ashore.naming import Day
from ashore.pairing import EARLIER, LATER, Pile
from ashore.store import Store

Tell = Callable[[int, int], None]


def compare(  # noqa: PLR0913 - each is said on the command line
    store: Store,
    source: Source,
    earlier: dt.date,
    later: dt.date,
    endpoints: Sequence[str] = (),
    examples: int | None = 20,
    tell: Tell = lambda _done, _of: None,
) -> Comparison:
    """Compare two complete days: of all endpoints, unless some are named.

    ``examples`` is how many records of each kind are shown, all where it is None; ``tell`` hears
    objects read, and of how many.

    Raises:
        Misconfigured: when the catalog has no endpoint of a name.
        Violated: when a day is not complete, or what it holds is not what landed.
        LocationUnusable: when the location cannot be read, or TMPDIR has no room.
    """
    known = {endpoint.name for endpoint in source.endpoints}
    for name in endpoints:
        if name not in known:
            problem = nearest(name, known)
            raise Misconfigured(f'{source.name} has no endpoint "{name}"; {problem}')
    with contextlib.ExitStack() as opened:
        days = [read_day(store, Day(source.name, date)) for date in (earlier, later)]
        for day in days:
            opened.callback(day.close)
        landed = {name for day in days for name in day.endpoints}
        chosen = [e for e in source.endpoints if e.name in (endpoints or landed)]
        progress = _Progress(tell, sum(day.count(each.name) for day in days for each in chosen))
        compared = tuple(
            _compared(store, endpoint, (days[0], days[1]), examples, progress.add)
            for endpoint in chosen
        )
    strangers = sorted(landed - known)
    return Comparison(source.name, earlier, later, compared, tuple(_notes(source, days, strangers)))


def _notes(source: Source, days: list[LandedDay], strangers: list[str]) -> Iterator[str]:
    others = [str(d.day.date) for d in days if d.manifest.source_sha256 != source.sha256]
    if others:
        yield (
            f"{' and '.join(dict.fromkeys(others))} landed under another declaration of "
            f"{source.name} than the catalog's, by which the records are read here"
        )
    if strangers:
        yield f"not in the catalog, and not compared: {', '.join(strangers)}"


@dataclass(slots=True)
class _Progress:
    """Objects read, and of how many: those of both days count."""

    tell: Tell
    of: int
    done: int = 0

    def add(self, objects: int) -> None:
        self.done += objects
        self.tell(self.done, self.of)


def _compared(
    store: Store,
    endpoint: Endpoint,
    days: tuple[LandedDay, LandedDay],
    examples: int | None,
    done: Callable[[int], None],
) -> EndpointComparison:
    """Compare one endpoint."""
    intake, found = Intake(endpoint, days, examples, done), Findings(examples)
    try:
        with contextlib.closing(Pile()) as pile:
            pile.fill(intake.rows(store))
            for unequal in pile.unequal():
                found.take(unequal)
    except RecursionError as error:
        raise Violated(f"{endpoint.name}: a record is nested too deep") from error
    earlier, later = (day.count(endpoint.name) for day in days)
    return EndpointComparison(
        endpoint=endpoint.name,
        key=tuple(map(str, endpoint.key or ())),
        records_earlier=intake.records[EARLIER],
        records_later=intake.records[LATER],
        added=found.added,
        removed=found.removed,
        changed=found.changed,
        unchanged=intake.records[EARLIER] - found.removed - found.changed,
        changed_fields=found.most_frequent(),
        fields=tuple(drift(intake.shapes[EARLIER], intake.shapes[LATER])),
        objects=Objects(
            earlier,
            later,
            added=intake.objects["added"],
            removed=intake.objects["removed"],
            same=intake.objects["same"],
            only_bytes=intake.objects["only bytes"],
            changed=intake.objects["changed"],
        ),
        only_bytes=tuple(intake.only_bytes),
        added_examples=tuple(found.added_examples),
        removed_examples=tuple(found.removed_examples),
        changed_examples=tuple(found.changed_examples),
        notes=tuple(_remarks(endpoint, intake, found)),
    )


def _remarks(endpoint: Endpoint, intake: Intake, found: Findings) -> Iterator[str]:
    if found.keyless and endpoint.key:
        yield f"{found.keyless} records without a key are compared as wholes"
    if found.repeated:
        yield f"{found.repeated} records whose key repeats are told as added or removed"
    if any(shape.overfull for shape in intake.shapes.values()):
        yield f"more than {MOST_FIELDS} fields; no drift is told of those beyond"
