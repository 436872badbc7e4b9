"""The disk that loses its power in tests is as hard as it should be, and no harder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.power import Disk, File
from tests.support.trace import Call, calls

TOP = Path("/top")
ASIDE, FINAL = "/top/aside", "/top/final"
WRITTEN = """\
7 openat(AT_FDCWD</>, "/top/aside", O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0666) = 3</top/aside>
7 write(3</top/aside>, ""..., 10) = 10
"""
FLUSHED = "7 fsync(3</top/aside>) = 0\n"
LINKED = '7 link("/top/aside", "/top/final") = 0\n'
SETTLED = "7 fsync(4</top>) = 0\n"


def traced(folder: Path, *texts: str) -> list[Call]:
    files = []
    for number, text in enumerate(texts):
        files.append(folder / f"trace-{number}")
        files[-1].write_text(text)
    return calls(files, TOP)


def left(found: list[Call], *, by_chance: bool) -> dict[str, bool]:
    """Every file that is left, and whether it is whole for certain."""
    disk = Disk(str(TOP))
    for _ in disk.replay(found):
        pass
    remains = disk.lose_power(lambda: by_chance)
    return {path: node.is_flushed for path, node in remains.items() if isinstance(node, File)}


@pytest.mark.parametrize(
    ("text", "certain", "possible"),
    [
        (WRITTEN, {}, {ASIDE: False}),
        (WRITTEN + FLUSHED, {}, {ASIDE: True}),
        (WRITTEN + FLUSHED + LINKED, {}, {ASIDE: True, FINAL: True}),
        (WRITTEN + LINKED + SETTLED, {ASIDE: False, FINAL: False}, {ASIDE: False, FINAL: False}),
        (WRITTEN + FLUSHED + LINKED + SETTLED, {ASIDE: True, FINAL: True}, None),
    ],
    ids=["written", "flushed", "linked", "settled, not flushed", "settled"],
)
def test_certain_is_what_was_flushed_and_nothing_else(
    tmp_path: Path, text: str, certain: dict[str, bool], possible: dict[str, bool] | None
) -> None:
    found = traced(tmp_path, text)
    assert left(found, by_chance=False) == certain
    assert left(found, by_chance=True) == (possible or certain)


def test_a_flush_counts_for_what_it_found(tmp_path: Path) -> None:
    meanwhile = (
        "7 fsync(3</top/aside> <unfinished ...>\n"
        '8 write(3</top/aside>, ""..., 5) = 5\n'
        "7 <... fsync resumed>) = 0\n"
    )
    found = traced(tmp_path, WRITTEN + meanwhile + SETTLED)
    assert left(found, by_chance=False) == {ASIDE: False}
    assert found[2].end - found[2].begin == 0, "the write"
    assert found[3].end - found[3].begin == 2, "the flush"


def test_what_failed_was_not_done_and_what_a_kill_cut_off_may_be(tmp_path: Path) -> None:
    failed = '7 link("/top/aside", "/top/taken") = -1 EEXIST (File exists)\n'
    cut_off = '7 link("/top/aside", "/top/final" <unfinished ...>\n7 +++ killed by SIGKILL +++\n'
    found = traced(tmp_path, WRITTEN + failed + cut_off, '9 mkdir("/top/later", 0777) = 0\n')
    assert [call.name for call in found] == ["open", "write", "link", "mkdir"]
    assert left(found, by_chance=True).keys() == {ASIDE, FINAL}


def test_what_is_elsewhere_is_nobodys_business(tmp_path: Path) -> None:
    assert traced(tmp_path, WRITTEN.replace("/top/", "/elsewhere/")) == []


def test_what_was_under_way_when_its_process_was_killed_may_have_failed(tmp_path: Path) -> None:
    made = '7 mkdir("/top/day", 0777) = 0\n'
    inside = (WRITTEN + FLUSHED + LINKED).replace("/top/final", "/top/day/final")
    again = '8 mkdir("/top/day", 0777 <unfinished ...>\n'
    settled = SETTLED + "7 fsync(5</top/day>) = 0\n"
    found = traced(tmp_path, made + inside + again, settled)
    assert left(found, by_chance=False) == {ASIDE: True, "/top/day/final": True}
