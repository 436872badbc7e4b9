"""Undo the content coding of a body, never beyond a cap, and only where it is whole."""

import zlib
from typing import Protocol


class BrokenBody(ValueError):
    """A body whose content coding is unknown, damaged or cut off."""


class TooLarge(ValueError):
    """A body that is larger than it may be."""


class Decoder(Protocol):
    """Takes a body as it was sent, piece by piece, and gives it as it lands."""

    def feed(self, piece: bytes) -> bytes:
        """Return what a piece decodes to."""

    def finish(self) -> None:
        """Raise BrokenBody when the body is not whole."""


def decoder_of(content_encoding: str | None, cap: int) -> Decoder:
    """Return the decoder for a ``Content-Encoding`` (RFC 9110, section 8.4): gzip, deflate or none.

    Raises:
        BrokenBody: for any other coding; none but these two were asked for.
    """
    coding = (content_encoding or "identity").strip().lower()
    if coding in {"", "identity"}:
        return _Identity()
    if coding in {"gzip", "x-gzip"}:
        return _Inflate(cap, zlib.MAX_WBITS | 16)
    if coding == "deflate":
        return _Inflate(cap, zlib.MAX_WBITS)
    raise BrokenBody(f"the content coding {coding[:40]!r} was not asked for")


class _Identity:
    def feed(self, piece: bytes) -> bytes:
        return piece

    def finish(self) -> None:
        pass


class _Inflate:
    """Gzip, possibly of several members, and deflate with or without its zlib header."""

    def __init__(self, cap: int, bits: int) -> None:
        self._cap = cap
        self._bits = bits
        self._stream = zlib.decompressobj(bits)
        self._begun = False

    def feed(self, piece: bytes) -> bytes:
        try:
            return self._inflate(piece)
        except zlib.error as error:
            if self._begun or self._bits != zlib.MAX_WBITS:
                raise BrokenBody(f"the content coding is damaged: {error}") from error
            self._bits = -zlib.MAX_WBITS  # some servers send deflate without its header
            self._stream = zlib.decompressobj(self._bits)
            return self.feed(piece)

    def _inflate(self, piece: bytes) -> bytes:
        whole = b""
        while piece:
            if self._stream.eof:
                self._stream = zlib.decompressobj(self._bits)
            # One byte above the cap is enough to know, however much a bomb would unfold to.
            whole += self._stream.decompress(piece, self._cap + 1 - len(whole))
            if len(whole) > self._cap:
                raise TooLarge
            piece = self._stream.unused_data
            self._begun = True
        return whole

    def finish(self) -> None:
        if not self._stream.eof:
            raise BrokenBody("the content coding is cut off")
