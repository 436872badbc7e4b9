"""Landed objects, read: in order, small ones ahead and side by side, each as it landed."""

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from typing import Protocol, TypeVar

from ashore.errors import Violated
from ashore.store import Store

READERS = 8
_AHEAD = 2**24
_BUNDLE, _BUNDLE_BYTES = 64, 2**20
"""How much is read ahead, in bytes, and how many small objects a reader reads in a row."""


class Landed(Protocol):
    """What has to be known of an object to read it."""

    @property
    def path(self) -> str:
        """From the location's root."""

    @property
    def bytes(self) -> int:
        """Its size."""

    @property
    def sha256(self) -> str:
        """In hex."""


Object = TypeVar("Object", bound=Landed)


def read_ahead(store: Store, objects: Iterable[Object]) -> Iterator[tuple[Object, bytes]]:
    """Yield objects with their bytes, in order; one large one is held at a time.

    Raises:
        Violated: when an object is missing, or its bytes are not those that landed.
    """
    todo, running = _bundles(objects), deque[tuple[int, Future[list[tuple[Object, bytes]]]]]()
    executor = ThreadPoolExecutor(READERS)
    try:
        ahead = 0
        for bundle in chain(todo, (None,)):
            size = sum(each.bytes for each in bundle) if bundle else 0
            while running and (bundle is None or ahead + size > _AHEAD or len(running) >= READERS):
                done, reading = running.popleft()
                yield from reading.result()
                ahead -= done
            if bundle:
                running.append((size, executor.submit(_read, store, bundle)))
                ahead += size
    finally:
        # Not waited for: a read that hangs must not hold whoever interrupts.
        executor.shutdown(wait=False, cancel_futures=True)


def _bundles(objects: Iterable[Object]) -> Iterator[list[Object]]:
    """Objects to read one after the other: many small ones, or a large one."""
    bundle: list[Object] = []
    size = 0
    for landed in objects:
        if bundle and (size + landed.bytes > _BUNDLE_BYTES or len(bundle) >= _BUNDLE):
            yield bundle
            bundle, size = [], 0
        bundle.append(landed)
        size += landed.bytes
    if bundle:
        yield bundle


def _read(store: Store, bundle: list[Object]) -> list[tuple[Object, bytes]]:
    return [(landed, _held(store, landed)) for landed in bundle]


def _held(store: Store, landed: Landed) -> bytes:
    body = store.read(landed.path)
    if body is not None and hashlib.sha256(body).hexdigest() == landed.sha256:
        return body
    what = "it is missing" if body is None else "its bytes are not those that landed"
    raise Violated(f"{landed.path}: {what}; `ashore verify` tells all that does not hold")
