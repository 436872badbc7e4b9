"""Generated answers: made-up countries with and without a key, and worlds of any size.

Everything follows from a seed and an edition; another edition changes a few values, as another day
does. Nothing is stored: an item of a world with a million items costs what one of ten does.
"""

import hashlib
import random
import uuid
import zlib
from dataclasses import dataclass
from functools import cache
from itertools import count

from ashore.standin_http import Answer, BadParameterError, Request, json_bytes, whole_number

LANDS = 254
"""How many records the keyed API has; the keyless one has the first 250 of them."""

_COUNTED = 250  # the lands with ISO codes
_KEY_LENGTH = 8
_LARGEST = 2**30
_LONGEST = 100_000
_MOST = 10**9
_REGIONS = ("Nearshore", "Farshore", "Highlands", "Islands", "Delta")
_calls = count(1)  # the keyed API stamps every call with another id and duration


@dataclass(frozen=True, slots=True)
class _Land:
    number: int
    name: str
    capital: str
    alpha2: str
    alpha3: str
    region: str
    population: int
    area: int
    uuid: str


def rest_countries(request: Request, path: tuple[str, ...], seed: int, edition: str) -> Answer:
    """Return what the keyed API says: a page by ``limit`` and ``offset``, or an error."""
    refusal = _refusal(request)
    if refusal:
        return Answer(json_bytes({"errors": [refusal]}), 401)
    if path != ("v5",):
        return _keyed_error("There is nothing at this path.", 404)
    try:
        limit, offset = request.number("limit", 25, 1, 100), request.number("offset", 0, 0)
    except BadParameterError as error:
        return _keyed_error(str(error), 400)
    lands = _lands(seed, edition)[offset : offset + limit]
    more = offset + len(lands) < LANDS
    meta: dict[str, object] = {
        "total": LANDS,
        "count": len(lands),
        "limit": limit,
        "offset": offset,
        "more": more,
    }
    objects = [_keyed_record(land) for land in lands]
    return Answer(json_bytes({"data": {"objects": objects, "meta": meta | _stamp()}}))


def countries_dev(path: tuple[str, ...], seed: int, edition: str) -> Answer:
    """Return what the keyless API says: a bare list, or a bare object for a three-letter code."""
    lands = _lands(seed, edition)[:_COUNTED]
    kept = (("Cache-Control", "public, max-age=604800"),)
    match path:
        case ("countries",):
            return Answer(json_bytes([_bare_record(land) for land in lands]), headers=kept)
        case ("alpha", code):
            for land in lands:
                if land.alpha3 == code.upper():
                    return Answer(json_bytes(_bare_record(land)), headers=kept)
            return Answer(json_bytes({"error": "Country not found"}), 404)
    return Answer(json_bytes({"error": "Not found"}), 404)


def world(request: Request, path: tuple[str, ...], seed: int, edition: str) -> Answer:
    """Return a page of a world of ``items`` items, or one of its items in about ``size`` bytes."""
    try:
        match path:
            case (items, "items"):
                return _listing(request, whole_number("N", items, 0, _MOST), seed, edition)
            case (items, "item", name):
                return _item(request, name, whole_number("N", items, 0, _MOST), seed, edition)
    except BadParameterError as error:
        return Answer(json_bytes({"error": str(error)}), 400)
    return Answer(json_bytes({"error": "worlds are at /world/N/items and /world/N/item/ID"}), 404)


def _listing(request: Request, items: int, seed: int, edition: str) -> Answer:
    page, size = request.number("page", 1), request.number("per_page", 100, 1, _LONGEST)
    numbers = range((page - 1) * size + 1, min(page * size, items) + 1)
    pages = -(-items // size)
    top = f'{{"total":{items},"pages":{pages},"page":{page},"items":['
    rows = ",".join(_row(number, items, seed, edition) + "}" for number in numbers)
    return Answer(f"{top}{rows}]}}".encode())


def _item(request: Request, name: str, items: int, seed: int, edition: str) -> Answer:
    size = request.number("size", 0, 0, _LARGEST)
    digits = name.removeprefix("item-")
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < len(name) else 0
    if not 1 <= number <= items or name != _name(number, items):
        return Answer(json_bytes({"error": "no such item"}), 404)
    top = f'{_row(number, items, seed, edition)},"fill":"'.encode()
    fill = max(0, size - len(top) - 2)
    pattern = hashlib.blake2b(f"{seed} {number}".encode(), digest_size=32).hexdigest().encode()
    return Answer(b"".join((top, (pattern * (fill // 64 + 1))[:fill], b'"}')))


def _name(number: int, items: int) -> str:
    return f"item-{number:0{max(6, len(str(items)))}d}"


def _row(number: int, items: int, seed: int, edition: str) -> str:
    value = (number * 2_654_435_761 + seed * 97 + _drift(number, edition)) % 1_000_003
    return f'{{"id":"{_name(number, items)}","value":{value}'


def _drift(number: int, edition: str) -> int:
    """Return by how much one in twenty values differs from one edition to the next."""
    return 0 if number % 20 else zlib.crc32(edition.encode()) % 1000 * (number % 7 + 1)


@cache
def _lands(seed: int, edition: str) -> tuple[_Land, ...]:
    made_up = random.Random(seed)  # noqa: S311 - invented data, nothing secret
    names = _names(made_up, 2 * LANDS)
    twos = [f"{a}{b}" for a in _LETTERS for b in _LETTERS]
    threes = [f"{pair}{c}" for pair in twos for c in _LETTERS]
    codes = list(zip(made_up.sample(twos, LANDS), made_up.sample(threes, LANDS), strict=True))
    return tuple(
        _Land(
            number,
            names[2 * number],
            names[2 * number + 1],
            *(codes[number] if number < _COUNTED else ("", "")),
            made_up.choice(_REGIONS),
            made_up.randrange(10_000, 90_000_000) + _drift(number, edition),
            made_up.randrange(20, 3_000_000),
            str(uuid.UUID(int=made_up.getrandbits(128), version=4)),
        )
        for number in range(LANDS)
    )


_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _names(made_up: random.Random, wanted: int) -> list[str]:
    names: dict[str, None] = {}
    while len(names) < wanted:
        syllables = (
            made_up.choice("bdfgklmnprstvz") + made_up.choice("aeiouéö")
            for _ in range(made_up.randint(2, 4))
        )
        names["".join(syllables).capitalize()] = None
    return list(names)


def _refusal(request: Request) -> dict[str, str] | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    key = token.strip() if scheme.lower() == "bearer" else request.params.get("api-key", "")
    if not key:
        return {"message": "A key is needed.", "code": "authKeyMissing"}
    if len(key) < _KEY_LENGTH:
        return {"message": "This key is not known.", "code": "authKeyNotFound"}
    return None


def _keyed_error(message: str, status: int) -> Answer:
    return Answer(json_bytes({"errors": [{"message": message}]}), status)


def _stamp() -> dict[str, object]:
    call = next(_calls)
    return {"request_id": f"req_{uuid.uuid4().hex}", "duration": (5000 + call * 37 % 40_000) / 1000}


def _keyed_record(land: _Land) -> dict[str, object]:
    return {
        "uuid": land.uuid,
        "names": {"common": land.name, "official": f"Commonwealth of {land.name}"},
        "codes": {"alpha_2": land.alpha2, "alpha_3": land.alpha3},
        "capitals": [{"name": land.capital, "attributes": {"primary": True}}],
        "region": land.region,
        "population": land.population,
        "area": {"kilometers": land.area, "miles": round(land.area * 0.386102, 1)},
        "currencies": [{"code": f"{land.alpha2}D", "name": f"{land.name} dollar", "symbol": "$"}],
        "landlocked": land.number % 5 == 0,
        "leaders": {"notice": "Not part of this plan."},
    }


def _bare_record(land: _Land) -> dict[str, object]:
    return {
        "name": land.name,
        "alpha2Code": land.alpha2,
        "alpha3Code": land.alpha3,
        "capital": land.capital,
        "region": land.region,
        "population": land.population,
        "area": land.area,
        "independent": land.number % 9 != 0,
    }
