"""Play the fault matrix on the real program: every row has to hold.

make chaos                       all rounds of all rows; writes the table in docs/reliability.md
make chaos ARGS=--quick          a round or a few of each, in minutes; writes nothing
make chaos ARGS="-k redirect"    the rows whose fault holds a word; writes nothing
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
import uuid
from pathlib import Path

from local_s3 import LocalS3
from tests.chaos import matrix, table
from tests.chaos.matrix import ROWS, Result
from tests.chaos.world import Place
from tests.conftest import harmless, is_foreign


def main() -> int:
    """Play, tell, write; return 0 when every row held."""
    options = _options()
    rows = [each for each in ROWS if options.k in f"{each.area} {each.fault}"]
    if options.quick:
        rows = [each for each in rows if each.quick]
    print(f"{len(rows)} faults; seed {options.seed}", flush=True)
    began = time.monotonic()
    with contextlib.ExitStack() as ends:
        nowhere = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="ashore-chaos-")))
        _clean_environment(nowhere)
        server = ends.enter_context(LocalS3())
        place = Place(server, server.make_bucket(f"chaos-{uuid.uuid4().hex[:12]}"))
        results = matrix.run(
            rows,
            place,
            quick=options.quick,
            seed=options.seed,
            tell=lambda result: _tell(result, show=options.show),
        )
    failed = [result for result in results if result.problems]
    seconds = time.monotonic() - began
    if not (failed or options.quick or options.k):
        table.write(results, seconds)
    rounds = sum(len(result.seen) for result in results)
    print(f"{rounds} rounds in {seconds:.0f} s; {len(failed)} of {len(rows)} faults failed")
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few rounds of each fault")
    parser.add_argument("-k", default="", metavar="WORD", help="only faults that hold this word")
    parser.add_argument(
        "--show", action="store_true", help="show what each failure told its reader"
    )
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10**6, help="to repeat a play")
    return parser.parse_args()


def _clean_environment(nowhere: Path) -> None:
    """Let no setting, key or proxy of whoever plays reach the program."""
    for name in filter(is_foreign, list(os.environ)):
        del os.environ[name]
    os.environ.update(harmless(nowhere))


def _tell(result: Result, *, show: bool) -> None:
    print(f"{result.row.area:9} {result.row.fault}: {table.seen(result)}", flush=True)
    for problem in result.problems:
        print(f"    {problem}", flush=True)
    if show and (words := table.told(result.seen)):
        print(f"    told: {words}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
