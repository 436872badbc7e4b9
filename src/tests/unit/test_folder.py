import contextlib
import errno
import hashlib
import os
import resource
import shlex
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ashore.errors import LocationUnusable
from ashore.folder import Folder
from ashore.store import Body, Entry, Store

DAY = "raw/extraction_date=2026-11-24/source=api/"
PATH = f"{DAY}endpoint=things/page=1.json"
BODY = Body.of(b'{"a": 1}')


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "landing"


@pytest.fixture
def folder(root: Path) -> Folder:
    folder = Folder(root)
    folder.prepare()
    return folder


@contextlib.contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """A disk that is full at so many bytes a file: a write stops short, the next one fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def in_a_file(tmp_path: Path, content: bytes) -> Body:
    file = tmp_path / "held"
    file.write_bytes(content)
    return Body(file, len(content), hashlib.sha256(content).hexdigest())


def test_a_folder_is_a_store(root: Path) -> None:
    store: Store = Folder(root)
    assert store.root == str(root)


def test_what_is_created_is_read_back_byte_by_byte(folder: Folder, root: Path) -> None:
    assert folder.create(PATH, BODY)
    assert folder.read(PATH) == (root / PATH).read_bytes() == BODY.content
    assert b"".join(folder.stream(PATH)) == BODY.content


def test_a_body_that_waits_in_a_file_is_created_alike(folder: Folder, tmp_path: Path) -> None:
    content = bytes(range(256)) * 10_000
    assert folder.create(PATH, in_a_file(tmp_path, content))
    assert folder.read(PATH) == content
    assert len(list(folder.stream(PATH))) > 1


def test_an_empty_body_is_a_body(folder: Folder) -> None:
    assert folder.create(PATH, Body.of(b""))
    assert folder.read(PATH) == b""
    assert list(folder.list(DAY)) == [Entry(PATH, 0)]


def test_a_name_that_is_taken_is_never_replaced(folder: Folder, root: Path) -> None:
    assert folder.create(PATH, BODY)
    before = (root / PATH).stat()
    assert not folder.create(PATH, Body.of(b"other"))
    assert not Folder(root).create(PATH, BODY)
    assert (root / PATH).stat() == before
    assert folder.read(PATH) == BODY.content


def test_of_twenty_racing_threads_one_creates(root: Path) -> None:
    stores = [Folder(root) for _ in range(5)]
    barrier = threading.Barrier(20)

    def race(number: int) -> bool:
        barrier.wait()
        body = Body.of(b"%d" % number)
        return stores[number % 5].create(PATH, body, {"sha256": body.sha256, "by": number})

    with ThreadPoolExecutor(20) as pool:
        won = list(pool.map(race, range(20)))
    assert won.count(True) == 1
    assert stores[0].read(PATH) == b"%d" % won.index(True)
    there = Folder(root).describe(PATH)
    assert there is not None
    assert there.metadata is not None
    assert there.metadata["by"] == won.index(True)


def test_another_instance_finds_the_metadata(folder: Folder, root: Path) -> None:
    metadata = {"run": "r1", "sha256": BODY.sha256, "bytes": BODY.size, "headers": {"etag": '"x"'}}
    folder.create(PATH, BODY, metadata)
    there = Folder(root).describe(PATH)
    assert there is not None
    assert (there.size, there.sha256) == (BODY.size, BODY.sha256)
    assert there.metadata == metadata == Folder(root).describe(PATH).metadata  # type: ignore[union-attr]


def test_what_another_run_adds_later_is_found(folder: Folder, root: Path) -> None:
    other = Folder(root)
    assert folder.describe(PATH) is None
    for number in range(3):
        path = f"{DAY}{number}.json"
        other.create(path, BODY, {"sha256": BODY.sha256, "by": number})
        there = folder.describe(path)
        assert there is not None
        assert there.metadata == {"sha256": BODY.sha256, "by": number}


@pytest.mark.parametrize("source", list("abcdef"))
def test_the_metadata_of_those_who_came_too_late_are_not_the_object_s(
    root: Path, source: str
) -> None:
    path = f"raw/extraction_date=2026-11-24/source={source}/endpoint=things/all.json"
    Folder(root).create(path, BODY, {"sha256": BODY.sha256, "by": "the first"})
    late = [Folder(root) for _ in range(5)]
    for number, store in enumerate(late):
        assert not store.create(path, BODY, {"sha256": BODY.sha256, "by": number})
    for store in [*late, Folder(root)]:
        there = store.describe(path)
        assert there is not None
        assert there.metadata == {"sha256": BODY.sha256, "by": "the first"}


def test_a_file_that_is_created_twice_keeps_its_metadata(folder: Folder) -> None:
    assert folder.create(PATH, BODY, {"sha256": BODY.sha256, "n": 1})
    assert not folder.create(PATH, BODY, {"sha256": BODY.sha256, "n": 2})
    there = folder.describe(PATH)
    assert there is not None
    assert there.metadata == {"sha256": BODY.sha256, "n": 1}


def test_a_file_that_nobody_created_carries_no_metadata(folder: Folder, root: Path) -> None:
    (root / PATH).parent.mkdir(parents=True)
    (root / PATH).write_bytes(b"[]")
    there = folder.describe(PATH)
    assert there is not None
    assert (there.size, there.metadata) == (2, None)


def test_a_file_that_was_changed_is_described_as_it_is(folder: Folder, root: Path) -> None:
    folder.create(PATH, BODY, {"sha256": BODY.sha256})
    (root / PATH).write_bytes(b"[]")
    there = Folder(root).describe(PATH)
    assert there is not None
    assert there.sha256 == hashlib.sha256(b"[]").hexdigest()
    assert there.metadata is None or there.metadata["sha256"] != there.sha256


@pytest.mark.parametrize(
    "left",
    [
        *(b'{"path": "', b"\xff\xfe\n", b"5\n[]\n{}\nnull\n", b'{"path":1,"sha256":2}\n'),
        *(b"[" * 100_000 + b"\n", b'{"path":"\\ud800","sha256":"x"}\n', b"9" * 5_000 + b"\n"),
    ],
    ids=["cut", "no text", "other values", "no text in it", "deep", "half a pair", "a number"],
)
def test_lines_that_a_killed_run_left_spoil_nothing(
    folder: Folder, root: Path, left: bytes
) -> None:
    folder.create(PATH, BODY, {"sha256": BODY.sha256})
    for file in (root / ".ashore").rglob("*.jsonl"):
        file.write_bytes(left + b"\n" + file.read_bytes() + left)
    there = Folder(root).describe(PATH)
    assert there is not None
    assert there.metadata == {"sha256": BODY.sha256}


LINKS = ["raw", "manifests", ".ashore", ".ashore/temporary", ".ashore/metadata", DAY.rstrip("/")]


@pytest.mark.parametrize("link", LINKS)
def test_no_link_within_a_location_is_followed(root: Path, tmp_path: Path, link: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / f"{'a' * 32}-0").write_bytes(b"mine")
    os.utime(outside / f"{'a' * 32}-0", (0, 0))
    (root / link).parent.mkdir(parents=True)
    (root / link).symlink_to(outside)
    folder = Folder(root)
    with pytest.raises(LocationUnusable, match=f"{link} is a link"):
        _prepare_and_create(folder)
    assert [file.name for file in outside.iterdir()] == [f"{'a' * 32}-0"]


def _prepare_and_create(folder: Folder) -> None:
    folder.prepare()
    folder.create("manifests/x.json", BODY)
    folder.create(PATH, BODY, {"sha256": BODY.sha256})


def test_a_location_may_be_behind_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    root.symlink_to(tmp_path / "there")
    _prepare_and_create(Folder(root))
    assert (tmp_path / "there" / PATH).read_bytes() == BODY.content


def test_a_link_to_a_folder_is_listed_and_not_followed(folder: Folder, root: Path) -> None:
    (root / DAY).mkdir(parents=True)
    (root / DAY / "elsewhere").symlink_to(root)
    assert [entry.path for entry in folder.list(DAY)] == [f"{DAY}elsewhere"]


def test_a_link_in_place_of_an_object_is_never_written_through(
    folder: Folder, root: Path, tmp_path: Path
) -> None:
    (root / PATH).parent.mkdir(parents=True)
    (root / PATH).symlink_to(tmp_path / "outside")
    assert not folder.create(PATH, BODY, {"sha256": BODY.sha256})
    assert not (tmp_path / "outside").exists()


def test_a_link_in_place_of_the_lock_is_refused(folder: Folder, root: Path, tmp_path: Path) -> None:
    (root / ".ashore" / "lock").symlink_to(tmp_path / "outside")
    with pytest.raises(LocationUnusable):
        folder.replace("state/source=s/budget.json", b"{}", None)
    assert not (tmp_path / "outside").exists()


def test_leftovers_of_killed_runs_are_invisible_and_cleared_when_stale(
    folder: Folder, root: Path
) -> None:
    temporary = root / ".ashore" / "temporary"
    fresh, stale, others = f"{'a' * 32}-7", f"{'b' * 32}-0", "of-somebody-else"
    for name in (fresh, stale, others):
        (temporary / name).write_bytes(b"half")
        os.utime(temporary / name, (0, 0) if name != fresh else None)
    assert list(folder.list("raw/")) == []
    assert folder.read(PATH) is None
    Folder(root).prepare()
    assert {file.name for file in temporary.iterdir()} == {fresh, others}


def test_nothing_temporary_is_left_behind(folder: Folder, root: Path) -> None:
    folder.create(PATH, BODY)
    folder.create(PATH, BODY)
    folder.replace("state/x.json", b"1", None)
    folder.replace("state/x.json", b"2", None)
    assert list((root / ".ashore" / "temporary").iterdir()) == []


def test_a_listing_shows_every_file_with_its_size(folder: Folder) -> None:
    sizes = {f"{DAY}a/b/c.json": 3, f"{DAY}a/d.json": 0, f"{DAY}e.json": 5}
    for path, size in sizes.items():
        folder.create(path, Body.of(bytes(size)))
    folder.create(f"{DAY[:-1]}2/f.json", BODY)
    assert {entry.path: entry.size for entry in folder.list(DAY)} == sizes


def test_the_folders_of_a_folder_are_named_with_their_paths(folder: Folder) -> None:
    for name in ("b/1.json", "a/x/2.json", "3.json"):
        folder.create(f"raw/{name}", BODY)
    assert list(folder.folders("raw/")) == ["raw/a/", "raw/b/"]
    assert list(folder.folders("absent/")) == []


def test_what_is_not_there_is_none_everywhere(folder: Folder) -> None:
    assert folder.read(PATH) is None
    assert folder.describe(PATH) is None
    assert folder.read_version(PATH) is None
    assert list(folder.stream(PATH)) == []
    assert list(folder.list("absent/")) == []


def test_what_lies_below_a_file_is_not_there(folder: Folder) -> None:
    folder.create("raw/x", BODY)
    assert folder.read("raw/x/y.json") is None
    assert folder.describe("raw/x/y.json") is None
    assert list(folder.stream("raw/x/y.json")) == []


def test_a_version_is_replaced_once(folder: Folder, root: Path) -> None:
    path = "state/source=api/budget.json"
    assert folder.replace(path, b"1", None)
    assert not folder.replace(path, b"2", None)
    read = Folder(root).read_version(path)
    assert read is not None
    assert folder.replace(path, b"2", read[1])
    assert not folder.replace(path, b"3", read[1])
    assert folder.read(path) == b"2"


def test_a_version_of_what_went_away_is_not_replaced(folder: Folder, root: Path) -> None:
    folder.replace("state/x.json", b"1", None)
    read = folder.read_version("state/x.json")
    (root / "state" / "x.json").unlink()
    assert read is not None
    assert not folder.replace("state/x.json", b"2", read[1])


def test_racing_threads_never_lose_a_count(root: Path) -> None:
    stores = [Folder(root) for _ in range(4)]
    stores[0].replace("state/n", b"0", None)

    def add(store: Folder) -> None:
        for _ in range(5):
            while True:
                read = store.read_version("state/n")
                assert read is not None
                if store.replace("state/n", b"%d" % (int(read[0]) + 1), read[1]):
                    break

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, stores))
    assert stores[0].read("state/n") == b"20"


def test_a_day_can_be_settled(folder: Folder) -> None:
    folder.create(PATH, BODY, {"sha256": BODY.sha256})
    folder.settle(DAY)
    folder.settle("manifests/")


@pytest.mark.parametrize("name", ["x y.json", "it's.json", "$(id).json", "a;b.json"])
def test_the_command_that_moves_a_file_moves_it(folder: Folder, root: Path, name: str) -> None:
    path = f"{DAY}{name}"
    folder.create(path, BODY)
    subprocess.run(["bash", "-c", folder.how_to_move(path)], check=True)
    assert folder.read(path) is None
    assert list(folder.list(DAY)) == []
    moved = [file.read_bytes() for file in root.rglob(name) if file.is_file()]
    assert moved == [BODY.content]


def test_the_command_that_moves_a_file_can_be_read(folder: Folder) -> None:
    assert shlex.split(folder.how_to_move(PATH))


ASKED: dict[str, Callable[[Folder], object]] = {
    "prepare": Folder.prepare,
    "create": lambda store: store.create(PATH, BODY, {"sha256": BODY.sha256}),
    "replace": lambda store: store.replace(PATH, b"1", None),
    "folders": lambda store: list(store.folders("raw/")),
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
def test_a_file_where_the_folder_should_be_makes_it_unusable(
    root: Path, ask: Callable[[Folder], object]
) -> None:
    root.write_bytes(b"")
    with pytest.raises(LocationUnusable, match="landing"):
        ask(Folder(root))


def test_a_location_that_is_not_there_is_told_from_an_empty_one(root: Path) -> None:
    with pytest.raises(LocationUnusable, match="no such folder"):
        list(Folder(root).folders("raw/"))


@pytest.mark.parametrize("ask", [Folder.read, Folder.describe, lambda f, p: list(f.stream(p))])
def test_a_folder_where_a_file_should_be_is_unusable(
    folder: Folder, root: Path, ask: Callable[[Folder, str], object]
) -> None:
    (root / PATH).mkdir(parents=True)
    with pytest.raises(LocationUnusable, match=r"page=1\.json"):
        ask(folder, PATH)


@pytest.mark.parametrize("call", ["fsync", "link", "open"])
def test_a_disk_that_fails_makes_it_unusable_and_leaves_nothing(
    folder: Folder, root: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def fail(*_: object, **__: object) -> int:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, call, fail)
        with pytest.raises(LocationUnusable, match="Input/output error"):
            folder.create(PATH, BODY, {"sha256": BODY.sha256})
    assert folder.read(PATH) is None
    assert list((root / ".ashore" / "temporary").iterdir()) == []
    assert folder.create(PATH, BODY)


@pytest.mark.parametrize(
    ("call", "code", "mend"),
    [
        ("fsync", errno.ENOSPC, "make room, of bytes or of inodes"),
        ("fsync", errno.EDQUOT, "make room"),
        ("fsync", errno.EIO, "the disk fails"),
        ("open", errno.EROFS, "mount it for writing"),
        ("open", errno.EACCES, f"let user {os.geteuid()} "),
        ("open", errno.ENOENT, "the folder is gone"),
        ("open", errno.ESTALE, "mount it again"),
        ("link", errno.ENAMETOOLONG, "shorter"),
        ("link", errno.EPERM, "no hard links"),
        ("link", errno.EOPNOTSUPP, "no hard links"),
        ("link", errno.ENOSYS, "no hard links"),
        ("link", errno.EXDEV, "one file system"),
    ],
)
def test_a_disk_that_fails_tells_its_operator_what_to_do(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, call: str, code: int, mend: str
) -> None:
    def fail(*_: object, **__: object) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(LocationUnusable, match=f"{os.strerror(code)}.*{mend}"):
        folder.create(PATH, BODY)


@pytest.mark.parametrize("place", [".ashore", "raw", PATH.rpartition("/")[0]])
def test_a_file_in_the_way_is_named(root: Path, place: str) -> None:
    (root / place).parent.mkdir(parents=True, exist_ok=True)
    (root / place).write_bytes(b"mine")
    with pytest.raises(LocationUnusable, match=f"{root / place} is a file.*move it away"):
        Folder(root).create(PATH, BODY)


def test_a_folder_that_may_not_be_read_is_named(folder: Folder, root: Path) -> None:
    def fail(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(root / "raw" / "deep"))

    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(os, "lstat", fail)
        folder.create(PATH, BODY)
        with pytest.raises(LocationUnusable, match="raw/deep: Permission denied"):
            list(folder.list("raw/"))


def test_notes_that_may_not_be_read_are_not_taken_for_none(
    folder: Folder, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.create(PATH, BODY, {"sha256": BODY.sha256})
    scandir = os.scandir

    def fail(folder: str) -> object:
        if ".ashore" in str(folder):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", fail)
    with pytest.raises(LocationUnusable, match=r"metadata.*Permission denied"):
        Folder(root).describe(PATH)


def test_a_path_that_is_too_long_is_not_told_in_full(folder: Folder) -> None:
    with pytest.raises(LocationUnusable, match="too long") as caught:
        # Of few folders: what is too deep, pytest cannot clear away.
        folder.create("raw/" + f"{'d' * 200}/" * 40 + "x.json", BODY)
    assert len(str(caught.value)) < 1000


def test_a_folder_that_cannot_be_made_to_last_is_unusable(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise OSError(5, "Input/output error")

    folder.create(PATH, BODY)
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(LocationUnusable, match="Input/output error"):
        folder.settle(DAY)


@pytest.mark.parametrize("form", ["bytes", "file"])
def test_a_full_disk_never_leaves_a_part_under_a_name(
    folder: Folder, tmp_path: Path, form: str
) -> None:
    content = bytes(300_000)
    body = Body.of(content) if form == "bytes" else in_a_file(tmp_path, content)
    with files_of_at_most(100_000), pytest.raises(LocationUnusable):
        folder.create(PATH, body, {"sha256": body.sha256})
    assert folder.read(PATH) is None
    assert folder.create(PATH, body)
    assert folder.read(PATH) == content


def test_a_full_disk_never_leaves_an_object_without_its_metadata(
    folder: Folder, root: Path
) -> None:
    landed = 0
    with contextlib.suppress(LocationUnusable), files_of_at_most(3_000):
        for landed in range(100):
            path = f"{DAY}{landed}.json"
            folder.create(path, BODY, {"sha256": BODY.sha256, "note": "x" * 100})
    assert 1 < landed < 99
    folder.create(f"{DAY}after.json", BODY, {"sha256": BODY.sha256})
    fresh = Folder(root)
    for entry in fresh.list(DAY):
        there = fresh.describe(entry.path)
        assert there is not None
        assert there.metadata is not None, entry.path


def test_of_the_same_bytes_fetched_twice_the_latest_note_counts(tmp_path: Path) -> None:
    path, body = "raw/extraction_date=2026-11-25/source=s/endpoint=e/all.json", Body.of(b"[1]")
    for number in range(8):
        store = Folder(tmp_path)
        store.prepare()
        assert store.create(path, body, {"sha256": body.sha256, "number": number})
        there = Folder(tmp_path).describe(path)
        assert there is not None
        assert there.metadata is not None
        assert there.metadata["number"] == number
        (tmp_path / path).unlink()


@pytest.mark.parametrize("moment", ["open", "fsync", "write"])
def test_a_location_that_vanishes_at_any_moment_is_not_made_anew(
    folder: Folder, root: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    real = getattr(os, moment)

    def vanish(*arguments: object, **more: object) -> object:
        done = real(*arguments, **more)
        if root.exists():
            root.rename(root.with_name("away"))
        return done

    monkeypatch.setattr(os, moment, vanish)
    with pytest.raises(LocationUnusable, match="the folder is gone"):
        folder.create(PATH, BODY, {"sha256": BODY.sha256})
    assert not root.exists()
