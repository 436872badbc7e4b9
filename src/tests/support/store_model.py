"""What every store has to be, whatever is done to it in whatever order, and by whom."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from ashore.store import Body, Entry, Metadata, Store
from tests.support.mangled import share

Reopen = Callable[[], Store]
NAMES = st.sampled_from(
    [
        *("raw/d/s/a.json", "raw/d/s/A.json", "raw/d/s/b.json", "raw/d/t/a.json"),
        *("raw/d/s/c/x=%2F.json", "raw/d/s/c/x=%2f.json", "raw/d/s/c/x=%252F.json"),
        *(
            "raw/d/s/c/x=é~ +&.json",
            "raw/d/s/c/x=\u20ac/page=1.json",
            "raw/ds/a.json",
            "state/x.json",
        ),
    ]
)
REPLACED = "state/y.json"
PREFIXES = st.sampled_from(["raw/", "raw/d/", "raw/d/s/", "raw/d/s/c/", "state/", "absent/"])
LARGE = bytes(range(256)) * 8_200  # more than two of the pieces that are read
CONTENTS = st.binary(max_size=20) | st.sampled_from(["large", "larger"])
MANY = 4
WHO = st.integers(0, MANY - 1)
ONES = st.integers(0, 10**9)


def whole(content: bytes | str) -> bytes:
    """The bytes of a content: examples hold large ones by name."""
    return content if isinstance(content, bytes) else LARGE[len(content) % 2 :]


class StoreModel(RuleBasedStateMachine):
    """A store is a dictionary that never forgets, the same for all who have it open."""

    reopen: Reopen
    aside: Path

    def __init__(self) -> None:
        super().__init__()
        self.stores = [self.reopen() for _ in range(MANY)]
        for store in self.stores:
            store.prepare()
        self.objects: dict[str, bytes] = {}
        self.metadata: dict[str, Metadata | None] = {}
        self.stale: list[str | None] = [None]

    @rule(who=WHO)
    def open_anew(self, who: int) -> None:
        self.stores[who] = self.reopen()
        self.stores[who].prepare()

    @rule(
        who=WHO, name=NAMES, content=CONTENTS, one=ONES, noted=st.booleans(), in_file=st.booleans()
    )
    def create(
        self, who: int, name: str, content: bytes | str, one: int, noted: bool, in_file: bool
    ) -> None:
        body = self._in_a_file(whole(content)) if in_file else Body.of(whole(content))
        metadata = (
            {"sha256": body.sha256, "n": one, "said": "two  blanks \u20ac"} if noted else None
        )
        created = self.stores[who].create(name, body, metadata)
        assert created is (name not in self.objects)
        if created:
            self.objects[name], self.metadata[name] = whole(content), metadata

    @rule(name=NAMES, contents=st.lists(CONTENTS, min_size=MANY, max_size=MANY))
    def create_at_once(self, name: str, contents: list[bytes | str]) -> None:
        bodies = [Body.of(whole(content)) for content in contents]
        notes = [{"sha256": body.sha256, "n": n} for n, body in enumerate(bodies)]
        with ThreadPoolExecutor(MANY) as pool:
            made = list(
                pool.map(lambda n: self.stores[n].create(name, bodies[n], notes[n]), range(MANY))
            )
        assert sum(made) == (name not in self.objects)
        if True in made:
            self.objects[name] = whole(contents[made.index(True)])
            self.metadata[name] = notes[made.index(True)]

    @rule(who=WHO, name=NAMES)
    def read(self, who: int, name: str) -> None:
        expected = self.objects.get(name)
        assert self.stores[who].read(name) == expected
        pieces = list(self.stores[who].stream(name))
        assert b"".join(pieces) == (expected or b"")
        assert all(len(piece) <= 2**20 for piece in pieces)

    @rule(who=WHO, name=NAMES)
    def describe(self, who: int, name: str) -> None:
        there = self.stores[who].describe(name)
        if name not in self.objects:
            assert there is None
            return
        body = Body.of(self.objects[name])
        assert there is not None
        assert (there.size, there.sha256) == (body.size, body.sha256)
        assert there.metadata == self.metadata[name]

    @rule(who=WHO, prefix=PREFIXES)
    def list_all(self, who: int, prefix: str) -> None:
        expected = {Entry(n, len(b)) for n, b in self.objects.items() if n.startswith(prefix)}
        found = [*self.stores[who].list(prefix)]
        assert set(found) == expected
        assert len(found) == len(expected)

    @rule(who=WHO, prefix=PREFIXES)
    def folders(self, who: int, prefix: str) -> None:
        below = [n.removeprefix(prefix) for n in self.objects if n.startswith(prefix)]
        expected = {f"{prefix}{name.split('/')[0]}/" for name in below if "/" in name}
        found = [*self.stores[who].folders(prefix)]
        assert set(found) == expected
        assert len(found) == len(expected)

    @rule(who=WHO, content=st.binary(max_size=20), data=st.data())
    def replace(self, who: int, content: bytes, data: st.DataObject) -> None:
        read = self.stores[who - 1].read_version(REPLACED)
        assert (read[0] if read else None) == self.objects.get(REPLACED)
        current = read[1] if read else None
        version = data.draw(st.sampled_from([current, current, *self.stale]))
        assert self.stores[who].replace(REPLACED, content, version) is (version == current)
        if version == current:
            self.objects[REPLACED], self.metadata[REPLACED] = content, None
            self.stale.append(current)

    @rule(contents=st.lists(st.binary(min_size=1, max_size=9), min_size=2, max_size=2, unique=True))
    def replace_at_once(self, contents: list[bytes]) -> None:
        read = self.stores[0].read_version(REPLACED)
        version = read[1] if read else None
        with ThreadPoolExecutor(2) as pool:
            made = list(
                pool.map(lambda n: self.stores[n].replace(REPLACED, contents[n], version), range(2))
            )
        now = self.stores[0].read_version(REPLACED)
        assert now is not None
        # One that brings back the very bytes that were there changes no version.
        unchanged = now[1] == version or (read is not None and read[0] in contents)
        assert sum(made) == 1 or unchanged
        self.objects[REPLACED], self.metadata[REPLACED] = now[0], None
        assert now[0] in contents
        self.stale.append(version)

    @rule(who=WHO, prefix=PREFIXES)
    def settle(self, who: int, prefix: str) -> None:
        if any(name.startswith(prefix) for name in self.objects):
            self.stores[who].settle(prefix)

    def _in_a_file(self, content: bytes) -> Body:
        with tempfile.NamedTemporaryFile(dir=self.aside, delete=False) as file:
            file.write(content)
        return Body(Path(file.name), len(content), hashlib.sha256(content).hexdigest())


def is_a_dictionary_that_never_forgets(
    anew: Callable[[], Reopen], aside: Path, of_all: float = 1.0
) -> None:
    """Play the model on empty locations; `anew` makes one, and a way to open it."""

    class Model(StoreModel):
        def __init__(self) -> None:
            self.reopen, self.aside = anew(), aside
            super().__init__()

    playing = settings(max_examples=share(of_all), stateful_step_count=25)
    run_state_machine_as_test(Model, settings=playing)
