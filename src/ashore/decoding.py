"""Undo the content coding of a body, a little at a time, and only where it is whole."""

import zlib
from collections.abc import Iterator
from typing import Protocol

_PIECE = 2**18
_HEADER = 2  # bytes of the header of zlib: RFC 1950, section 2.2


class BrokenBody(ValueError):
    """A body whose content coding is unknown, damaged or cut off."""


class Decoder(Protocol):
    """Takes a body as it was sent, piece by piece, and gives it as it lands."""

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Yield what a piece decodes to, in pieces that are never large."""

    def finish(self) -> None:
        """Raise BrokenBody when the body is not whole."""


def decoder_of(content_encoding: str | None) -> Decoder:
    """Return the decoder for a ``Content-Encoding`` (RFC 9110, section 8.4): gzip, deflate or none.

    Raises:
        BrokenBody: for any other coding; none but these two were asked for.
    """
    coding = (content_encoding or "identity").strip().lower()
    if coding in {"", "identity"}:
        return _Identity()
    if coding in {"gzip", "x-gzip"}:
        return _Inflate(zlib.MAX_WBITS | 16)
    if coding == "deflate":
        return _Inflate(zlib.MAX_WBITS)
    raise BrokenBody(f"the content coding {coding!r} was not asked for")


class _Identity:
    def feed(self, piece: bytes) -> Iterator[bytes]:
        yield piece

    def finish(self) -> None:
        pass


class _Inflate:
    """Gzip, possibly of several members, and deflate with or without its zlib header."""

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._stream = zlib.decompressobj(bits)
        self._first = b""

    def feed(self, piece: bytes) -> Iterator[bytes]:
        more = bool(piece)
        while more:
            if self._stream.eof:
                self._stream = zlib.decompressobj(self._bits)
            # However much a bomb unfolds to, it does so a little at a time, until the cap is met.
            inflated = self._decompress(piece)
            yield inflated
            piece = self._stream.unconsumed_tail or self._stream.unused_data
            more = bool(piece) or (len(inflated) == _PIECE and not self._stream.eof)

    def _decompress(self, piece: bytes) -> bytes:
        try:
            inflated = self._stream.decompress(piece, _PIECE)
        except zlib.error as error:
            if self._bits != zlib.MAX_WBITS or len(self._first) >= _HEADER:
                raise BrokenBody(f"the content coding is damaged: {error}") from error
            self._bits = -zlib.MAX_WBITS  # some servers send deflate without its header
            self._stream = zlib.decompressobj(self._bits)
            return self._decompress(self._first + piece)
        self._first += piece[: _HEADER - len(self._first)]
        return inflated

    def finish(self) -> None:
        if not self._stream.eof:
            raise BrokenBody("the content coding is cut off")
