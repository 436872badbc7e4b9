"""An HTTP server on loopback that stands in for the real APIs: recorded and generated answers.

    /world_bank/v2/...       recorded answers of the World Bank, and others cut from them
    /rest_countries/v5       made-up records behind a key of at least 8 characters
    /countries_dev/...       made-up records without a key
    /world/N/items           a world of N items, in pages; /world/N/item/ID?size=BYTES is one
    /_standin/requests       what was asked so far (not counted itself); ?arrivals=1 for each one

Latency and faults come on request; ``describe_faults`` tells how those are written.
"""

import threading
from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self

from ashore import standin_recorded, standin_worlds
from ashore.standin_catalog import catalog_text
from ashore.standin_counts import Arrival, Counts, Journal
from ashore.standin_damage import spoil
from ashore.standin_faults import Fault, FaultBook, describe_faults, parse_fault
from ashore.standin_http import Answer, Delivery, Request, Server, deliver, json_bytes

__all__ = [
    "EDITIONS",
    "Arrival",
    "Counts",
    "Fault",
    "Standin",
    "catalog_text",
    "describe_faults",
    "parse_fault",
]

EDITIONS = tuple(standin_recorded.EDITIONS)
"""The editions that can be served, the earliest first: another one is another day."""


class Standin:
    """A running stand-in; it listens from the moment it is made until ``close``.

    Args:
        port: where to listen on 127.0.0.1; 0 finds a free one.
        edition: which of ``EDITIONS`` to serve; may be set while it runs.
        latency: seconds that every answer waits; may be set while it runs.
        faults: what goes wrong; may be set while it runs, and then counts anew.
        gzip: whether to compress for clients that accept it.
        seed: from which generated answers follow.

    Raises:
        ValueError: for an edition that does not exist.
        OSError: when the port is taken.
    """

    def __init__(  # noqa: PLR0913 - settings, each with a default and a name
        self,
        *,
        port: int = 0,
        edition: str = EDITIONS[0],
        latency: float = 0.0,
        faults: Sequence[Fault] = (),
        gzip: bool = False,
        seed: int = 1,
    ) -> None:
        self.edition = edition
        self.latency = latency
        self.faults = faults
        self._gzip = gzip
        self._seed = seed
        self._journal = Journal()
        self._server = Server(port, self._respond, self._journal.end)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving and hang up on every client; may be called again."""
        self._server.close()

    @property
    def edition(self) -> str:
        """The edition that is served now."""
        return self._edition

    @edition.setter
    def edition(self, edition: str) -> None:
        if edition not in EDITIONS:
            raise ValueError(f'no edition "{edition}"; there are {" and ".join(EDITIONS)}')
        self._edition = edition

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What goes wrong now."""
        return self._book.faults

    @faults.setter
    def faults(self, faults: Sequence[Fault]) -> None:
        self._book = FaultBook(faults)

    def counts(self) -> Counts:
        """Return what was asked so far."""
        return self._journal.counts()

    @property
    def requests(self) -> tuple[Arrival, ...]:
        """The latest 100,000 requests, in the order in which they were answered."""
        return self.counts().arrivals

    def _respond(self, request: Request) -> Delivery:
        at = self._journal.begin()
        if request.path.startswith("/_standin/"):
            return deliver(self._about(request), request)
        delivery = self._delivery(request)
        self._journal.note(
            Arrival(
                at, request.path, request.query, delivery.status, "authorization" in request.headers
            )
        )
        return replace(delivery, wait=delivery.wait + self.latency)

    def _delivery(self, request: Request) -> Delivery:
        fault = self._book.pick(request.path, request.query)
        try:
            answer = self._answer(request)
        except Exception as error:  # noqa: BLE001 - a bug here must reach the client, not a log
            answer = Answer(json_bytes({"error": f"a bug of the stand-in: {error!r}"}), 500)
        if fault:
            return spoil(fault, answer, request)
        return deliver(answer, request, compress=self._gzip)

    def _answer(self, request: Request) -> Answer:
        if request.method not in {"GET", "HEAD"}:
            return Answer(json_bytes({"error": "only GET"}), 405, headers=(("Allow", "GET, HEAD"),))
        match request.segments:
            case ("world_bank", "v2", *path):
                return standin_recorded.answer(request, tuple(path), self._edition)
            case ("rest_countries", *path):
                return standin_worlds.rest_countries(
                    request, tuple(path), self._seed, self._edition
                )
            case ("countries_dev", *path):
                return standin_worlds.countries_dev(tuple(path), self._seed, self._edition)
            case ("world", *path):
                return standin_worlds.world(request, tuple(path), self._seed, self._edition)
        return Answer(json_bytes({"error": "the stand-in has nothing at this path"}), 404)

    def _about(self, request: Request) -> Answer:
        if request.segments != ("_standin", "requests"):
            return Answer(json_bytes({"error": "there is /_standin/requests"}), 404)
        return Answer(json_bytes(self.counts().document(arrivals="arrivals" in request.params)))
