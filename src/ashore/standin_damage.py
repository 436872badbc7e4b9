"""How each fault looks on the wire: from a good answer to the delivery that a client meets."""

import gzip
import time
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate
from http import HTTPStatus

from ashore import standin_recorded
from ashore.standin_faults import Fault
from ashore.standin_http import Answer, Delivery, Request, deliver, head, json_bytes

HTML = "text/html"


def spoil(fault: Fault, answer: Answer, request: Request) -> Delivery:
    """Return what a request meets that meets this fault."""
    if fault.retry_after:
        wait = ("Retry-After", _retry_after(fault.retry_after))
        answer = replace(answer, headers=(*answer.headers, wait))
    return _KINDS[fault.kind](fault, answer, request)


def _retry_after(text: str) -> str:
    word, _, ahead = text.partition("+")
    if word != "date":
        return text
    seconds = float(ahead) if ahead.isdigit() else 2.0
    return formatdate(time.time() + seconds, usegmt=True)


def _page(title: str) -> bytes:
    # The byte order mark is what some gateways send, and what a parser of JSON must survive.
    return (
        f"\ufeff<!DOCTYPE html>\n<html><head><title>{title}</title></head>\n"
        f"<body><h1>{title}</h1><p>This page comes from the stand-in.</p></body></html>\n"
    ).encode()


def _status(fault: Fault, answer: Answer, request: Request) -> Delivery:
    code = int(fault.value)
    phrase = HTTPStatus(code).phrase if code in list(HTTPStatus) else "Unknown"
    bodies = {"html": _page(phrase), "json": json_bytes({"error": phrase}), "empty": b""}
    media = HTML if fault.body == "html" else answer.media
    return deliver(replace(answer, status=code, body=bodies[fault.body], media=media), request)


def _redirect(fault: Fault, answer: Answer, request: Request) -> Delivery:
    target = f"{request.path}?{request.query}" if request.query else request.path
    place = ("Location", fault.value.replace("{target}", target))
    moved = replace(answer, status=302, body=b"", headers=(*answer.headers, place))
    return deliver(moved, request)


def _html(_: Fault, answer: Answer, request: Request) -> Delivery:
    page = _page("The service is being looked after")
    return deliver(replace(answer, status=200, body=page, media=HTML), request)


def _empty(_: Fault, answer: Answer, request: Request) -> Delivery:
    return deliver(replace(answer, status=200, body=b""), request)


def _envelope(_: Fault, answer: Answer, request: Request) -> Delivery:
    return deliver(replace(answer, status=200, body=standin_recorded.envelope()), request)


def _truncated(_: Fault, answer: Answer, request: Request) -> Delivery:
    return deliver(replace(answer, body=_half(answer)), request)


def _cut(_: Fault, answer: Answer, __: Request) -> Delivery:
    whole = ("Content-Length", str(len(answer.body) + 1))  # so that even an empty body is cut
    return Delivery(answer.status, head(answer, whole), _half(answer), close=True)


def _chunk_cut(_: Fault, answer: Answer, __: Request) -> Delivery:
    top = head(answer, ("Transfer-Encoding", "chunked"))
    chunk = f"{len(answer.body) + 1:x}\r\n".encode() + _half(answer)
    return Delivery(answer.status, top, chunk, close=True)


def _bad_gzip(_: Fault, answer: Answer, __: Request) -> Delivery:
    body = bytearray(gzip.compress(answer.body, mtime=0))
    body[-8] ^= 0xFF  # in the checksum: every byte decodes, and only the end tells
    return _zipped(answer, bytes(body))


def _cut_gzip(_: Fault, answer: Answer, __: Request) -> Delivery:
    body = gzip.compress(answer.body, mtime=0)
    return _zipped(answer, body[: len(body) // 2])


def _zipped(answer: Answer, body: bytes) -> Delivery:
    framing = (("Content-Encoding", "gzip"), ("Content-Length", str(len(body))))
    return Delivery(answer.status, head(answer, *framing), body)


def _slow(fault: Fault, answer: Answer, request: Request) -> Delivery:
    return replace(deliver(answer, request), drip=float(fault.value))


def _wait(fault: Fault, answer: Answer, request: Request) -> Delivery:
    return replace(deliver(answer, request), wait=float(fault.value))


def _reset(_: Fault, __: Answer, ___: Request) -> Delivery:
    return Delivery(0, b"", close=True, reset=True)


def _half(answer: Answer) -> bytes:
    return answer.body[: len(answer.body) // 2]


_KINDS: dict[str, Callable[[Fault, Answer, Request], Delivery]] = {
    "status": _status,
    "redirect": _redirect,
    "html": _html,
    "empty": _empty,
    "envelope": _envelope,
    "truncated-json": _truncated,
    "cut": _cut,
    "chunk-cut": _chunk_cut,
    "bad-gzip": _bad_gzip,
    "cut-gzip": _cut_gzip,
    "slow": _slow,
    "wait": _wait,
    "reset": _reset,
}
