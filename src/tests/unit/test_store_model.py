import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from ashore.folder import Folder
from ashore.store import Body, Entry, Metadata, Store

NAMES = [
    "raw/d/s/a.json",
    "raw/d/s/b.json",
    "raw/d/t/a.json",
    "raw/d/s/c/x=%2F.json",
    "state/x.json",
]
PREFIXES = ["raw/", "raw/d/", "raw/d/s/", "state/", "absent/"]
BODIES = st.binary(max_size=20)
Reopen = Callable[[], Store]


class StoreModel(RuleBasedStateMachine):
    """Whatever is done to a store, in whatever order, it is a dictionary that never forgets."""

    reopen: Reopen

    def __init__(self) -> None:
        super().__init__()
        self.open()
        self.objects: dict[str, bytes] = {}
        self.metadata: dict[str, Metadata | None] = {}
        self.stale: dict[str, str] = {}

    @rule()
    def open(self) -> None:
        self.store = self.reopen()
        self.store.prepare()

    @rule(name=st.sampled_from(NAMES), content=BODIES, noted=st.booleans())
    def create(self, name: str, content: bytes, noted: bool) -> None:
        body = Body.of(content)
        metadata = {"sha256": body.sha256, "bytes": body.size, "n": len(self.objects)}
        created = self.store.create(name, body, metadata if noted else None)
        assert created is (name not in self.objects)
        if created:
            self.objects[name] = content
            self.metadata[name] = metadata if noted else None

    @rule(name=st.sampled_from(NAMES))
    def read(self, name: str) -> None:
        expected = self.objects.get(name)
        assert self.store.read(name) == expected
        assert b"".join(self.store.stream(name)) == (expected or b"")

    @rule(name=st.sampled_from(NAMES))
    def describe(self, name: str) -> None:
        there = self.store.describe(name)
        if name not in self.objects:
            assert there is None
            return
        body = Body.of(self.objects[name])
        assert there is not None
        assert (there.size, there.sha256) == (body.size, body.sha256)
        assert there.metadata == self.metadata[name]

    @rule(prefix=st.sampled_from(PREFIXES))
    def list(self, prefix: str) -> None:
        expected = {Entry(n, len(b)) for n, b in self.objects.items() if n.startswith(prefix)}
        found = [*self.store.list(prefix)]
        assert set(found) == expected
        assert len(found) == len(expected)

    @rule(prefix=st.sampled_from(PREFIXES))
    def folders(self, prefix: str) -> None:
        below = [n.removeprefix(prefix) for n in self.objects if n.startswith(prefix)]
        expected = {f"{prefix}{name.split('/')[0]}/" for name in below if "/" in name}
        assert {*self.store.folders(prefix)} == expected

    @rule(name=st.just("state/y.json"), content=BODIES, fresh=st.booleans())
    def replace(self, name: str, content: bytes, fresh: bool) -> None:
        read = self.store.read_version(name)
        assert (read[0] if read else None) == self.objects.get(name)
        version = (read[1] if read else None) if fresh else self.stale.get(name)
        current = read[1] if read else None
        assert self.store.replace(name, content, version) is (version == current)
        if version == current:
            self.objects[name] = content
            self.metadata[name] = None
            if current is not None:
                self.stale[name] = current

    @rule(prefix=st.sampled_from(PREFIXES))
    def settle(self, prefix: str) -> None:
        if any(name.startswith(prefix) for name in self.objects):
            self.store.settle(prefix)


@pytest.fixture
def anew(tmp_path: Path) -> Callable[[], Reopen]:
    """Makes an empty location each time, and a way to open it again and again."""

    def location() -> Reopen:
        root = Path(tempfile.mkdtemp(dir=tmp_path))
        return lambda: Folder(root)

    return location


def test_a_store_is_a_dictionary_that_never_forgets(anew: Callable[[], Reopen]) -> None:
    class Model(StoreModel):
        def __init__(self) -> None:
            self.reopen = anew()
            super().__init__()

    few = settings(max_examples=20, stateful_step_count=20, deadline=None, derandomize=True)
    run_state_machine_as_test(Model, settings=few)
