"""What differs between two days, counted, with the first of each kind as examples."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ashore.comparison import Alone, Changed, FieldChange
from ashore.drift import MOST_FIELDS, Path, path_text
from ashore.exact import shown, text_of, value_of
from ashore.fields import ABSENT, differing
from ashore.pairing import Unequal

_LONGEST_SHOWN = 2_000
_MOST_SHOWN = 100


class Findings:
    """Counts what differs; ``most`` examples of each kind are kept, all of them where it is None.

    Of an example, a value is cut after 2,000 characters, with an ellipsis that no JSON ends with,
    and the first hundred fields are told.
    """

    def __init__(self, most: int | None) -> None:
        """Begin with nothing found."""
        self.most = most
        self.added = self.removed = self.changed = 0
        self.repeated = self.keyless = 0
        """Records told alone though they have a key, as it repeats; or as they have none."""
        self.fields = Counter[str]()
        self.added_examples: list[Alone] = []
        self.removed_examples: list[Alone] = []
        self.changed_examples: list[Changed] = []

    def take(self, unequal: Unequal) -> None:
        """Count what the pile found, and keep it if it is among the first."""
        if unequal.earlier and unequal.later:
            self._take_changed(unequal)
            return
        self.removed += unequal.earlier
        self.added += unequal.later
        many = unequal.earlier + unequal.later
        if unequal.key is None:
            self.keyless += many
        elif unequal.repeats:
            self.repeated += many
        kept = self.removed_examples if unequal.earlier else self.added_examples
        for _ in range(min(many, self._left(kept, many))):
            kept.append(_alone(unequal))

    def most_frequent(self) -> dict[str, int]:
        """Return in how many records each field differs, the most frequent first."""
        ordered = sorted(self.fields.items(), key=lambda item: (-item[1], item[0]))
        return dict(ordered)

    def _left(self, kept: Sequence[object], wanted: int) -> int:
        return wanted if self.most is None else self.most - len(kept)

    def _take_changed(self, unequal: Unequal) -> None:
        self.changed += 1
        earlier, later = map(_value, unequal.texts())
        keep = self._left(self.changed_examples, 1) > 0
        told, names = list[FieldChange](), set[str]()
        for path, before, after in differing(earlier, later):
            names.add(path_text(_anywhere(path)))
            if keep and len(told) < _MOST_SHOWN:
                told.append(FieldChange(path_text(path), _shown(before), _shown(after)))
        self._count(names)
        if keep:
            self.changed_examples.append(Changed(_text(unequal.key) or "", tuple(told)))

    def _count(self, names: set[str]) -> None:
        for name in names:
            if name in self.fields or len(self.fields) < MOST_FIELDS:
                self.fields[name] += 1


def _anywhere(path: Path) -> Path:
    """A path for any position in its lists."""
    return tuple(part if isinstance(part, str) else None for part in path)


def _alone(unequal: Unequal) -> Alone:
    earlier, later = unequal.texts()
    return Alone(_text(unequal.key), _cut(shown(earlier or later or "")))


def _value(text: str | None) -> Any:  # noqa: ANN401 - any JSON value
    return value_of(text or "null")


def _text(key: bytes | None) -> str | None:
    return None if key is None else _cut(shown(key.decode("utf-8", "surrogatepass")))


def _shown(value: object) -> str | None:
    return None if value is ABSENT else _cut(shown(text_of(value)))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
