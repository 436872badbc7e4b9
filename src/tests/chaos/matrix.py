"""Rows of the fault matrix: what they are, how they are played, and what came of it."""

from __future__ import annotations

import random
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from tests.chaos.world import Place, World

Play = Callable[[World], None]
Span = int | tuple[int, int]

ROUNDS = 5
AT_ONCE = 4
"""Rounds that are played at the same time."""


class CannotBeMadeError(Exception):
    """The fault needs something that this machine does not have; the message says what."""


@dataclass(frozen=True, slots=True)
class Row:
    """One fault: how it is made, what is promised, and how to play one round of it."""

    area: str
    fault: str
    made: str
    promised: str
    exits: tuple[int, ...] | None
    """The exit statuses of a round's commands, in order; None where the play judges them itself."""
    requests: Span | None
    """How many requests the source sees in a round, exactly or from and to."""
    play: Play
    rounds: int = ROUNDS
    quick: int = 1
    """Rounds in the quick part of the matrix; 0 leaves the row out of it."""
    s3: bool = False
    alone: bool = False
    """Whether nothing else is played meanwhile: where the moment of something matters."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one round showed."""

    exits: tuple[int, ...]
    requests: int
    bytes: int
    """Bytes that were compared with what the source had sent."""
    seconds: float
    """Of the longest command."""
    told: str
    """What the first command that did not end with 0 told its reader."""
    figures: dict[str, float] = field(default_factory=dict)
    """What was measured besides, by what it is."""


@dataclass(slots=True)
class Result:
    """What all rounds of a row showed."""

    row: Row
    seen: list[Seen] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    cannot: str = ""


ROWS: list[Row] = []


def row(
    area: str,
    fault: str,
    *,
    made: str,
    promised: str,
    exits: tuple[int, ...] | None,
    requests: Span | None,
    rounds: int = ROUNDS,
    quick: int = 1,
    s3: bool = False,
    alone: bool = False,
) -> Callable[[Play], Play]:
    """Enter a fault in the matrix; the function plays one round and asserts what is promised."""

    def enter(play: Play) -> Play:
        ROWS.append(
            Row(area, fault, made, promised, exits, requests, play, rounds, quick, s3, alone)
        )
        return play

    return enter


def run(
    rows: Sequence[Row], place: Place, *, quick: bool, seed: int, tell: Callable[[Result], None]
) -> list[Result]:
    """Play rows and return what was seen, in their order; those that must be alone come last."""
    results = [Result(each) for each in rows]
    for alone in (False, True):
        with ThreadPoolExecutor(1 if alone else AT_ONCE) as executor:
            played = [
                (result, _submit(result.row, place, executor, quick=quick, seed=seed))
                for result in results
                if result.row.alone is alone
            ]
            for result, rounds in played:
                for number, outcome in enumerate(rounds, start=1):
                    _enter(result, number, outcome.result())
                tell(result)
    return results


Outcome = Seen | CannotBeMadeError | str


def _submit(
    each: Row, place: Place, executor: ThreadPoolExecutor, *, quick: bool, seed: int
) -> list[Future[Outcome]]:
    rounds = each.quick if quick else each.rounds
    return [executor.submit(play, each, place, seed, number) for number in range(1, rounds + 1)]


def _enter(result: Result, number: int, outcome: Outcome) -> None:
    if isinstance(outcome, Seen):
        result.seen.append(outcome)
    elif isinstance(outcome, CannotBeMadeError):
        result.cannot = str(outcome)
    else:
        result.problems.append(f"round {number}: {outcome}")


def play(each: Row, place: Place, seed: int, number: int) -> Outcome:
    """Play one round; return what was seen, or what was not as promised."""
    chance = random.Random(f"{seed} {each.fault} {number}")  # noqa: S311 - to be repeatable
    began = time.monotonic()
    try:
        with World(place if each.s3 else None, chance, number) as world:
            each.play(world)
            world.has_leaked_nothing()
            seen = Seen(
                exits=tuple(run.status for run in world.runs),
                requests=len(world.api.calls),
                bytes=world.compared,
                seconds=max((run.seconds for run in world.runs), default=0.0),
                told=next((run.told for run in world.runs if run.status > 0), ""),
                figures=world.figures,
            )
    except CannotBeMadeError as error:
        return error
    except Exception:  # noqa: BLE001 - a round that fails fails its row, whatever the reason
        return f"after {time.monotonic() - began:.1f} s: {traceback.format_exc()}"
    return _unlike(each, seen) or seen


def _unlike(each: Row, seen: Seen) -> str:
    """What of a round's figures is not as promised."""
    if each.exits is not None and seen.exits != each.exits:
        return f"exit statuses {seen.exits}, promised {each.exits}: {seen.told}"
    least, most = each.requests if isinstance(each.requests, tuple) else (each.requests,) * 2
    if least is not None and most is not None and not least <= seen.requests <= most:
        return f"{seen.requests} requests, promised {each.requests}"
    return ""
