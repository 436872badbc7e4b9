"""A disk that loses its power: what of a trace is there for certain, and what by chance only.

The model is as hard as POSIX allows: of a file only those bytes are certain that were written
before an fsync of it began, of a folder only those names. Whatever came later may be there or not,
each name by itself and in any order, which is worse than any file system that we know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from tests.support.trace import Call

Keep = Callable[[], bool]
"""Whether a change that is not certain is there by chance; asked for each."""


@dataclass(slots=True, eq=False)
class File:
    """What was written, piece by piece; so many pieces, from the first on, are certain."""

    pieces: list[int] = field(default_factory=list)
    certain: int = 0

    @property
    def is_flushed(self) -> bool:
        """Whether all of it is certain."""
        return self.certain == len(self.pieces)

    @property
    def bytes(self) -> int:
        """How many bytes are certain."""
        return sum(self.pieces[: self.certain])


@dataclass(slots=True, eq=False)
class Folder:
    """Which name was given to what, or to nothing; so many changes are certain."""

    names: list[tuple[str, Node | None]] = field(default_factory=list)
    certain: int = 0


Node = File | Folder


class Disk:
    """Replays a trace in a folder that is there and empty."""

    def __init__(self, top: str) -> None:
        self._top = top
        self.nodes: dict[str, Node] = {top: Folder()}
        """Everything by its path, as every process sees it."""
        self._flushing: dict[float, tuple[Node, int]] = {}

    def replay(self, calls: Sequence[Call]) -> Iterator[float]:
        """Take calls over one by one; yield after each, where the power may go."""
        for moment, begins, call in sorted(_moments(calls), key=lambda each: each[0]):
            if begins:
                node = self.nodes[call.paths[0]]
                changes = node.pieces if isinstance(node, File) else node.names
                self._flushing[call.begin] = node, len(changes)
            else:
                self._end(call)
            yield moment

    def lose_power(self, keep: Keep) -> dict[str, Node]:
        """Return what still has a name, by its path."""
        left: dict[str, Node] = {}
        _survive(self._top, self.nodes[self._top], keep, left)
        return left

    def _end(self, call: Call) -> None:
        match call.name, call.paths:
            case "fsync", _:
                node, certain = self._flushing.pop(call.begin)
                node.certain = max(node.certain, certain)
            case "write", (path,):
                self._file(path).pieces.append(call.result)
            case ("mkdir", (path,)) | ("link", (_, path)) if path in self.nodes:
                pass  # under way when its process was killed: it would have failed
            case "mkdir", (path,):
                self._name(path, Folder())
            case "open", (path, *_):
                if call.creates and path not in self.nodes:
                    self._name(path, File())
            case "link", (old, new):
                self._name(new, self.nodes[old])
            case "rename", (old, new):
                self._name(new, self.nodes[old])
                self._name(old, None)
            case "unlink", (path,):
                self._name(path, None)
            case _:
                raise AssertionError(f"the model knows nothing of {call}")

    def _name(self, path: str, node: Node | None) -> None:
        parent = self.nodes[str(PurePosixPath(path).parent)]
        assert isinstance(parent, Folder)
        parent.names.append((PurePosixPath(path).name, node))
        if node is None:
            del self.nodes[path]
        else:
            self.nodes[path] = node

    def _file(self, path: str) -> File:
        node = self.nodes[path]
        assert isinstance(node, File)
        return node


def _moments(calls: Sequence[Call]) -> Iterator[tuple[float, bool, Call]]:
    """When calls end, and when flushes begin: they flush only what they find."""
    for call in calls:
        yield call.end, False, call
        if call.name == "fsync":
            yield call.begin - 0.5, True, call


def _survive(path: str, node: Node, keep: Keep, left: dict[str, Node]) -> None:
    left[path] = node
    if isinstance(node, File):
        return
    names: dict[str, Node | None] = {}
    for number, (name, meaning) in enumerate(node.names):
        if number < node.certain or keep():
            names[name] = meaning
    for name, meaning in names.items():
        if meaning is not None:
            _survive(f"{path}/{name}", meaning, keep, left)
