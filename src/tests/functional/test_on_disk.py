"""What a manifest in a folder promises is on the disk before it, by a trace of system calls."""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import go_without, is_foreign
from tests.support import trace
from tests.support.api import Call as Asked
from tests.support.api import Reply, ScriptedApi, json_reply
from tests.support.power import Disk, File, Node
from tests.support.process import Running, environment
from tests.support.shop import SWIFT, TREE, number, today
from tests.support.trace import Call

PAGES = 'paging = { kind = "page", param = "page", pages = "pages" }\n'
LISTING = TREE.replace('path = "items"\n', f'path = "items"\n{PAGES}records = "rows"\n')


@dataclass(frozen=True, slots=True)
class Story:
    """What a run asked of the disk, from an empty folder to a complete day."""

    top: Path
    root: Path
    calls: list[Call]

    @property
    def manifest(self) -> Call:
        """The call that gives the manifest its name."""
        (link,) = [each for each in self.links() if each.paths[1].endswith("/manifest.json")]
        return link

    def links(self, below: str = "") -> list[Call]:
        """The calls that give names to files that are finished."""
        top = str(self.root / below)
        return [each for each in self.of("link") if each.paths[1].startswith(top)]

    def of(self, *names: str) -> list[Call]:
        """The calls of some names."""
        return [each for each in self.calls if each.name in names]

    def is_flushed(self, path: str, since: int, before: int) -> bool:
        """Whether a file or folder is flushed wholly between two moments."""
        flushes = [each for each in self.of("fsync") if each.paths[0] == path]
        return any(since < each.begin and each.end < before for each in flushes)

    def written(self, path: str, before: int) -> int:
        """When the last of what was written to a file before a moment was written."""
        return max(c.end for c in self.of("write") if c.paths[0] == path and c.end < before)

    def named(self) -> list[str]:
        """All files that the manifest stands for, and itself."""
        path = self.manifest.paths[1]
        manifest = json.loads(Path(path).read_bytes())
        references = [str(self.root / manifest[key]["path"]) for key in ("receipts", "sums")]
        lines = Path(references[0]).read_text().splitlines()
        return [path, *references, *(str(self.root / json.loads(li)["path"]) for li in lines)]


def answer(call: Asked) -> Reply:
    page = number(call, "page", 0)
    rows = [{"id": f"i{page}{n}"} for n in range(3)]
    return json_reply({"pages": 3, "rows": rows} if page else {"asked": call.path})


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, outer_environment: Mapping[str, str]) -> Story:
    """A run of a listing of three pages and nine items, in folders that it has to make."""
    if reason := trace.why_not():
        go_without(reason, outer_environment)
    top = tmp_path_factory.mktemp("story").resolve()
    root = top / "a" / "landing"
    with ScriptedApi(answer) as api:
        source = f'[source.shop]\nbase_url = "{api.url}"\nworkers = 4\n{SWIFT}\n'
        (top / "catalog.toml").write_text(source + LISTING.replace("[].id", "rows[].id"))
        run(top, "--to", str(root), "--date", today())
    return Story(top, root, trace.calls([top / "trace"], top))


def run(top: Path, *options: str) -> None:
    command = [sys.executable, "-m", "ashore", "extract", "--catalog", "catalog.toml", *options]
    foreign: dict[str, str | None] = dict.fromkeys(filter(is_foreign, os.environ))
    with Running(trace.traced(command, top / "trace"), environment(foreign), top) as running:
        ended = running.finish()
    assert ended.status == 0, ended


def test_every_file_is_flushed_before_it_gets_its_name(story: Story) -> None:
    assert len(story.links("raw")) == 12
    assert len(story.links("manifests")) == 4, "started, receipts, sums, manifest"
    for link in story.links():
        aside = link.paths[0]
        assert story.is_flushed(aside, story.written(aside, link.begin), link.begin), link
        later = [each for each in story.of("write") if each.paths[0] in link.paths]
        assert all(each.end < link.begin for each in later), "written to after it had its name"


def test_the_note_of_every_body_is_flushed_before_the_body_gets_its_name(story: Story) -> None:
    notes = str(story.root / ".ashore/metadata")
    journal, *others = {c.paths[0] for c in story.of("write") if c.paths[0].startswith(notes)}
    assert not others, "a run has one journal"
    end = 0
    for write in [each for each in story.of("write") if each.paths[0] == journal]:
        begin, end = end, end + write.result
        line = json.loads(Path(journal).read_bytes()[begin:end])
        link = next(c for c in story.links("raw") if c.paths[1] == str(story.root / line["path"]))
        assert story.is_flushed(journal, write.end, link.begin), line["path"]
        assert story.is_flushed(str(Path(journal).parent), 0, link.begin), "the journal's own name"


def test_every_name_is_flushed_before_the_manifest_gets_its_own(story: Story) -> None:
    before = story.manifest.begin
    names = [(each.paths[1], each.end) for each in story.of("link") if each.end < before]
    names += [(each.paths[0], each.end) for each in story.of("mkdir")]
    assert str(story.root) in dict(names), "the location itself was made"
    for path, since in names:
        if path != str(story.root / ".ashore/temporary"):
            assert story.is_flushed(str(Path(path).parent), since, before), path


def test_the_manifest_s_own_name_is_flushed(story: Story) -> None:
    link = story.manifest
    assert story.is_flushed(str(Path(link.paths[1]).parent), link.end, sys.maxsize)


def test_nothing_is_renamed_and_only_temporary_files_are_removed(story: Story) -> None:
    assert {each.name for each in story.calls} == {
        *("fsync", "link", "mkdir", "open", "unlink", "write")
    }
    aside = str(story.root / ".ashore/temporary")
    assert all(each.paths[0].startswith(aside) for each in story.of("unlink"))


@pytest.mark.parametrize("by_chance", [0.0, 0.5, 0.9, 1.0])
def test_whenever_the_power_goes_a_manifest_stands_for_all_of_its_day(
    story: Story, by_chance: float
) -> None:
    disk = Disk(str(story.top))
    chance = random.Random(by_chance)  # noqa: S311 - to be repeatable
    stood = 0
    for _ in disk.replay(story.calls):
        left = disk.lose_power(lambda: chance.random() < by_chance)
        if story.manifest.paths[1] in left:
            stood += 1
            wanting = [path for path in story.named() if not is_whole(left.get(path))]
            assert not wanting
    assert stood > 1, "at the end, at the latest, it stands whatever chance does"


def is_whole(node: Node | None) -> bool:
    """Whether a file is there with all of its bytes."""
    return isinstance(node, File) and node.is_flushed
