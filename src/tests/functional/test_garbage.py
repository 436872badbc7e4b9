"""Whatever comes into the files that ashore reads back: a clear word, and never a false one."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.api import ScriptedApi
from tests.support.garbage import CATALOG, DATE, MANIFESTS, RAW, answer, changes, said
from tests.support.mangled import share


@dataclass(frozen=True)
class World:
    """A catalog, a day that is complete, and one that was killed before its manifest."""

    catalog: Path
    whole: Path
    half: Path
    api: ScriptedApi

    def files(self, root: Path) -> dict[str, bytes]:
        return {
            file.relative_to(root).as_posix(): file.read_bytes()
            for file in sorted(root.rglob("*"))
            if file.is_file()
        }

    @contextmanager
    def spoilt(self, root: Path, changed: dict[str, bytes]) -> Iterator[Path]:
        """A copy of a location with other bytes in some files."""
        with tempfile.TemporaryDirectory() as folder:
            # Nothing writes into a file that is there, so that links will do.
            copy = shutil.copytree(root, Path(folder, "to"), copy_function=os.link)
            for path, content in changed.items():
                (copy / path).unlink()
                (copy / path).write_bytes(content)
            yield copy

    def extract(self, allowed: set[int], root: Path, *more: str) -> int:
        where = ["--catalog", str(self.catalog), "--to", str(root), "--date", DATE]
        return said(allowed, "extract", *where, *more).status

    def bodies(self, root: Path) -> dict[str, bytes]:
        return {path: body for path, body in self.files(root).items() if path.startswith("raw/")}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("garbage")
    with ScriptedApi() as api:
        answer(api)
        made = World(folder / "catalog.toml", folder / "whole", folder / "half", api)
        made.catalog.write_text(CATALOG.format(url=api.url), encoding="utf-8")
        assert made.extract({0}, made.whole) == 0
        assert made.extract({3}, made.half, "--max-requests", "4") == 3
        yield made


def is_stated(path: str) -> bool:
    return path.startswith("manifests/")


def is_about_the_day(path: str) -> bool:
    return path.startswith(("manifests/", "raw/"))


def is_needed_to_resume(path: str) -> bool:
    return (path.endswith(".jsonl") and path.startswith(".ashore/")) or path.startswith("state/")


READERS = ["verify", "verify --json", "verify --all", "plan", "status --check", "status --json"]


@settings(max_examples=share(0.6))
@given(st.data(), st.sampled_from(READERS), st.sampled_from(["whole", "half"]))
def test_garbage_in_what_is_stated_is_told_and_never_taken_for_a_good_day(
    world: World, data: st.DataObject, reader: str, which: str
) -> None:
    root = world.whole if which == "whole" else world.half
    changed = data.draw(changes(world.files(root), is_about_the_day))
    words = reader.split()
    words += ["--catalog", str(world.catalog)] if words[0] in {"plan", "status"} else []
    words += ["shop"] if words[0] == "plan" else []
    with world.spoilt(root, changed) as copy:
        status = said({0, 4, 5}, *words, "--to", str(copy)).status
        if words[0] == "verify" and status == 0:
            assert which == "whole"
            assert world.bodies(copy) == world.bodies(root)
        assert world.files(copy) == world.files(root) | changed, "something was mended in silence"


@settings(max_examples=share(0.6))
@given(st.data(), st.booleans())
def test_a_complete_day_with_garbage_is_asked_for_again_by_nobody(
    world: World, data: st.DataObject, as_json: bool
) -> None:
    changed = data.draw(changes(world.files(world.whole), is_about_the_day))
    with world.spoilt(world.whole, changed) as copy:
        asked = len(world.api.calls)
        world.extract({0, 4, 5}, copy, *(["--json"] if as_json else []))
        assert len(world.api.calls) == asked
        assert world.files(copy) == world.files(world.whole) | changed


@settings(max_examples=share(0.6))
@given(st.data())
def test_a_half_day_with_garbage_is_completed_as_the_api_has_it_or_not_at_all(
    world: World, data: st.DataObject
) -> None:
    files = world.files(world.half)
    changed = data.draw(
        changes(files, is_needed_to_resume)
        | changes(files, is_about_the_day)
        | changes(files, lambda path: path.startswith("raw/"))
    )
    with world.spoilt(world.half, changed) as copy:
        status = world.extract({0, 2, 3, 4, 5}, copy)
        if status == 0:
            assert world.bodies(copy) == world.bodies(world.whole)
            assert said({0}, "verify", "--to", str(copy)).status == 0
        else:
            assert not (copy / MANIFESTS / "manifest.json").exists()
        there = world.bodies(world.half) | {
            path: body for path, body in changed.items() if path.startswith("raw/")
        }
        assert world.bodies(copy).items() >= there.items(), "something that landed was replaced"


NAMES = [
    *(b"\xff\xfe.json", b"a\nb.json", b"\x1b[31m\x07.json", b"[/b] [bold].json", b"x" * 250),
    *("\u202egpj.json".encode(), b"  ", b"'\"`$(touch x)`;.json", b"a\\..\\b.json", b"-rf"),
]


@pytest.mark.parametrize(("which", "status"), [("whole", 0), ("half", 4)])
def test_a_stranger_s_object_of_any_name_is_told_on_one_line(
    world: World, which: str, status: int
) -> None:
    catalog = ["--catalog", str(world.catalog)]
    with world.spoilt(getattr(world, which), {}) as copy:
        for name in map(os.fsdecode, NAMES):
            for kind in ("file", "link", "folder"):
                place = copy / RAW / f"endpoint={kind}" / name
                place = place / "all.json" if kind == "folder" else place
                place.parent.mkdir(parents=True, exist_ok=True)
                place.symlink_to("/etc/hostname") if kind == "link" else place.write_bytes(b"[]")
        assert world.extract({status}, copy) == status
        for reader in ("status --json", "status", "status --check --days 1"):
            told = said({0, 4}, *reader.split(), *catalog, "--to", str(copy))
            assert "damaged" not in told.out
        verified = said({4}, "verify", "--date", DATE, "--json", "--to", str(copy)).document
        assert len(verified["days"][0]["problems"]) == (30 if which == "whole" else 1)
        said({4}, "verify", "--date", DATE, "--to", str(copy))
