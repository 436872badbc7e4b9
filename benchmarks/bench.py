"""Measure ashore against a bare loop and against what nothing can be faster than.

make bench                          the whole, into docs/performance.md; at most 25 minutes
QUICK=1 make bench                  smaller cases and two rounds; at most two minutes
make bench ARGS='--only "1 MiB"'    only the cases that match; prints, and writes nothing
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import measures
import report
from figures import LARGE, Bar, Case, Measured, Spread, bars, peak
from measures import Growth
from stage import Stage, stage

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
IMAGES = DOCUMENT.parent / "images"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    rounds: int
    cases: tuple[Case, ...]
    folder: tuple[int, ...]
    """The sizes of growth."""
    s3: tuple[int, ...]
    verified: tuple[int, ...]
    """The cases whose days are read back, by their place."""


FULL = Plan(
    rounds=5,
    cases=(
        Case(1_000, bar=1.25),
        Case(10_000, bar=1.25),
        Case(2_000, latency_ms=50, workers=32, bar=1.05),
        Case(200, LARGE, bar=1.15),
        Case(59, rate=20, bar=1.03),  # 60 requests with that of the listing
        Case(1_000, landed=500),
        Case(1_000, store="s3", bar=1.15),
        Case(1_000, latency_ms=50, workers=32, store="s3", bar=1.15),
        Case(200, LARGE, store="s3", bar=1.15),
        Case(59, rate=20, store="s3", bar=1.03),
        Case(1_000, landed=500, store="s3"),
    ),
    folder=(1_000, 10_000, 100_000),
    s3=(1_000, 10_000),
    verified=(1, 3),
)
QUICK = Plan(
    rounds=2,
    cases=(
        Case(500, bar=1.25),
        Case(500, latency_ms=50, workers=32, bar=1.05),
        Case(12, LARGE, bar=1.15),
        Case(40, rate=20, bar=1.03),
        Case(200, landed=100),
        Case(200, store="s3", bar=1.15),
        Case(12, LARGE, store="s3", bar=1.15),
    ),
    folder=(200, 600, 2_000),
    s3=(100, 300),
    verified=(0, 2),
)


@dataclass(slots=True)
class Results:
    """All that was measured."""

    measured: list[Measured] = field(default_factory=list)
    verified: list[Measured] = field(default_factory=list)
    started: dict[str, Spread] = field(default_factory=dict)
    grown: list[Growth] = field(default_factory=list)

    def bars(self) -> list[Bar]:
        """Return every bar beside its figure."""
        small = self.measured[0]
        memory = small.ratio(peak, "ashore", "floor")
        reached = [*bars(self.measured), Bar(f"{small.case}: peak memory ÷ floor", memory, 1.5)]
        reached += measures.bars_of_start(self.started)
        for grown, seconds in zip(self.grown, (10, 30), strict=False):
            reached += measures.bars_of_growth(grown, seconds)
        return reached + measures.bars_of_verify(self.verified)

    def blocks(self) -> dict[str, str]:
        """Return what the document shows between its markers."""
        blocks = {
            "bars": report.bars(self.bars()),
            "cases": "\n\n".join(report.case(each) for each in self.measured),
            "boto3": report.boto3(self.measured),
            "starts": report.starts(self.started),
            "verified": report.verified(self.verified),
            "growth": report.growth(self.grown),
            "resumed": report.resumed(self.grown),
        }
        counted = [report.calls(grown) for grown in self.grown if grown.resumed.calls]
        return blocks | {"calls": "\n\n".join(counted) or "Not measured: no local S3 server."}


def main() -> int:
    """Measure, and print the figures beside the bars, or write them into the document."""
    given = _arguments()
    plan, began = QUICK if given.quick else FULL, time.monotonic()
    load = os.getloadavg()[0]
    with stage(given.folder) as ready:
        if given.only:
            print(*_only(ready, plan, given.only), sep="\n\n")
            return 0
        results = _measured(ready, plan)
        machine = report.machine(ready.folder, plan.rounds, load, quick=given.quick)
    _write(results, machine)
    print(f"\n{report.bars(results.bars())}\n\n{DOCUMENT.name}: rewritten, after", end=" ")
    print(f"{time.monotonic() - began:.0f} s")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="smaller cases, and two rounds")
    parser.add_argument("--only", metavar="WORDS", help="only the cases whose words match this")
    parser.add_argument(
        "--folder", type=Path, help="where all lands for a while, up to 8 GiB (default: TMPDIR)"
    )
    return parser.parse_args()


def _only(ready: Stage, plan: Plan, words: str) -> Iterator[str]:
    _warm_up(ready)
    for case in plan.cases:
        if re.search(words, str(case)):
            yield report.case(measures.in_rounds(ready, case, plan.rounds))


def _measured(ready: Stage, plan: Plan) -> Results:
    results = Results()
    _warm_up(ready)
    _tell("the start")
    results.started = measures.starts(ready, plan.rounds)
    for case in _possible(ready, plan.cases):
        _tell(str(case))
        results.measured.append(measures.in_rounds(ready, case, plan.rounds))
    for place in plan.verified:
        _tell("verify")
        results.verified.append(measures.verify(ready, results.measured[place], plan.rounds))
    for store, sizes in (("folder", plan.folder), ("s3", plan.s3)):
        if cases := _possible(ready, [Case(size, store=store) for size in sizes]):
            _tell(f"growth: {cases[-1]}")
            results.grown.append(measures.growth(ready, cases))
    results.verified += [each.verified for each in results.grown if each.verified]
    return results


def _warm_up(ready: Stage) -> None:
    """Let Python compile all that will run, and let the machine read it once."""
    for case in _possible(ready, [Case(20), Case(20, store="s3")]):
        measures.in_rounds(ready, case, 1)


def _possible(ready: Stage, cases: Sequence[Case]) -> list[Case]:
    return [case for case in cases if ready.store or case.store == "folder"]


def _tell(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


def _write(results: Results, machine: str) -> None:
    import plots  # noqa: PLC0415 - only now: this process stays small while it measures

    IMAGES.mkdir(exist_ok=True)
    plots.ratios(results.measured, IMAGES / "ratios.svg")
    plots.growth(results.grown, IMAGES / "growth.svg")
    blocks = {"machine": machine, **results.blocks()}
    text = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(report.rewritten(text, blocks), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
