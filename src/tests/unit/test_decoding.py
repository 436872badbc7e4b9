import contextlib
import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ashore.decoding import BrokenBody, decoder_of
from tests.support.mangled import torn

BODIES = st.binary(max_size=300) | st.binary(max_size=20).map(lambda b: b * 5000)
CUTS = st.lists(st.integers(1, 40), max_size=20)


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


PACKED: dict[str, tuple[str | None, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "old gzip": ("X-GZip", gzip.compress),
    "stored gzip": ("gzip", lambda b: gzip.compress(b, 0)),
    "deflate": ("deflate", zlib.compress),
    "raw deflate": ("deflate", raw_deflate),
    "two members": ("gzip", lambda b: gzip.compress(b[:7]) + gzip.compress(b[7:])),
    "nothing": (None, bytes),
    "identity": ("identity", bytes),
    "empty name": (" ", bytes),
}
CODED = ["gzip", "stored gzip", "deflate", "raw deflate"]


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    found, begin = [], 0
    for cut in cuts:
        found.append(data[begin : begin + cut])
        begin += cut
    return [piece for piece in [*found, data[begin:]] if piece]


def decoded(coding: str | None, chunks: list[bytes]) -> bytes:
    decoder, out = decoder_of(coding), bytearray()
    for chunk in chunks:
        for piece in decoder.feed(chunk):
            out += piece
    decoder.finish()
    return bytes(out)


@pytest.mark.parametrize("form", PACKED)
@given(BODIES, CUTS)
@example(b"[1, 2, 3]", [1])
@example(b"[1, 2, 3]", [1] * 20)
@example(b"", [])
@example(bytes(2**20), [])
@example(bytes(2**19), [])
def test_a_body_comes_out_as_it_went_in(form: str, body: bytes, cuts: list[int]) -> None:
    coding, pack = PACKED[form]
    assert decoded(coding, pieces(pack(body), cuts)) == body


@pytest.mark.parametrize("form", CODED)
@given(BODIES, CUTS, st.data())
def test_a_body_that_is_cut_off_is_broken(
    form: str, body: bytes, cuts: list[int], data: st.DataObject
) -> None:
    coding, pack = PACKED[form]
    packed = pack(body)
    left = packed[: data.draw(st.integers(0, len(packed) - 1))]
    with pytest.raises(BrokenBody):
        decoded(coding, pieces(left, cuts))


@given(st.binary(min_size=1, max_size=100), st.data())
def test_a_damaged_gzip_body_is_broken_or_the_same(body: bytes, data: st.DataObject) -> None:
    packed = bytearray(gzip.compress(body))
    packed[data.draw(st.integers(10, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(BrokenBody):
        assert decoded("gzip", [bytes(packed)]) == body


@given(st.binary(min_size=1, max_size=100), st.data())
def test_a_damaged_deflate_body_is_broken_or_the_same(body: bytes, data: st.DataObject) -> None:
    # Behind its header, whose first bytes tell whether there is a checksum at all.
    packed = bytearray(zlib.compress(body))
    packed[data.draw(st.integers(2, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(BrokenBody):
        assert decoded("deflate", [bytes(packed)]) == body


@pytest.mark.parametrize("form", CODED)
@given(BODIES, CUTS, st.data())
def test_nearly_right_bytes_raise_nothing_else_and_unfold_in_small_pieces(
    form: str, body: bytes, cuts: list[int], data: st.DataObject
) -> None:
    coding, pack = PACKED[form]
    with contextlib.suppress(BrokenBody):
        decoder = decoder_of(coding)
        for chunk in pieces(data.draw(torn(pack(body))), cuts):
            for piece in decoder.feed(chunk):
                assert len(piece) <= 2**18
        decoder.finish()


@given(st.text(max_size=20) | st.sampled_from(["GZIP", " gzip ", "x-gzip", "Identity", "deflate,"]))
def test_any_name_of_a_coding_is_known_or_told_in_short(name: str) -> None:
    if name.strip().lower() in {"", "identity", "gzip", "x-gzip", "deflate"}:
        assert list(decoder_of(name).feed(b"")) in ([], [b""])
        return
    with pytest.raises(BrokenBody, match="was not asked for") as broken:
        decoder_of(name)
    assert len(str(broken.value)) < 400


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@given(st.binary(max_size=100), CUTS)
def test_no_bytes_raise_anything_else(coding: str, body: bytes, cuts: list[int]) -> None:
    with contextlib.suppress(BrokenBody):
        decoded(coding, pieces(body, cuts))


@pytest.mark.parametrize("rest", [b"x", b"garbage", b"\x1f\x8b"])
def test_what_follows_a_whole_body_is_not_let_through(rest: bytes) -> None:
    with pytest.raises(BrokenBody):
        decoded("gzip", [gzip.compress(b"[]") + rest])


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, br", "x" * 1000])
def test_a_coding_that_was_not_asked_for_is_broken(coding: str) -> None:
    with pytest.raises(BrokenBody, match="not asked for"):
        decoder_of(coding)


@pytest.mark.parametrize("form", ["gzip", "deflate", "raw deflate"])
def test_a_bomb_unfolds_a_little_at_a_time(form: str) -> None:
    coding, pack = PACKED[form]
    bomb = pack(bytes(2**24))
    decoder, taken = decoder_of(coding), 0
    tracemalloc.start()
    try:
        for piece in decoder.feed(bomb):
            taken += len(piece)
            if taken > 2**20:
                break
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert taken < 2**21
    assert peak < 2**21


def test_a_bomb_of_many_small_members_is_no_endless_list() -> None:
    bomb = gzip.compress(b"") * 1000
    pieces_given = list(decoder_of("gzip").feed(bomb))
    assert b"".join(pieces_given) == b""
    assert len(pieces_given) <= 1001
