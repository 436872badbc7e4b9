"""A source's key goes to its host and nowhere else, and is found in nothing that a run wrote."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.support.api import Call, Reply, ScriptedApi, json_reply, redirect_reply
from tests.support.shop import ITEMS, Shop

KEY = "s3cr/et+K=y with&42%"
SPELLINGS = [KEY, quote(KEY, safe=""), quote(KEY), quote(KEY, safe="").lower()]
FORMS = {
    "bearer": 'auth = { bearer_env = "SHOP_KEY" }',
    "header": 'auth = { header = "X-Api-Key", env = "SHOP_KEY" }',
    "param": 'auth = { param = "api_key", env = "SHOP_KEY" }',
}


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_KEY", KEY)


def carries(call: Call) -> bool:
    """Whether the key came with a request."""
    header = call.headers.get("authorization", call.headers.get("x-api-key", ""))
    return header in (KEY, f"Bearer {KEY}") or call.query.get("api_key") == [KEY]


def assert_silent(shop: Shop, shown: str) -> None:
    """The key is in nothing that was shown or written, in no spelling."""
    everything = (shop.written() + shown.encode()).lower()
    for spelling in SPELLINGS:
        assert spelling.lower().encode() not in everything


def extract(shop: Shop) -> int:
    """Extract with all that is told, and look for the key in all of it."""
    ran = shop.extract("--json", "--log-level", "debug")
    assert_silent(shop, ran.out + ran.err)
    return ran.status


@pytest.mark.parametrize("form", list(FORMS))
def test_the_key_is_sent_in_the_declared_form(shop: Shop, api: ScriptedApi, form: str) -> None:
    api.on("/items", [redirect_reply("/items?x=1"), Reply(503), json_reply([1])])
    shop.declare(source=FORMS[form])
    assert extract(shop) == 0
    assert all(carries(call) for call in api.calls)
    assert len(api.calls) == 3


@pytest.mark.parametrize("form", list(FORMS))
@pytest.mark.parametrize("how", ["redirect", "link"])
def test_the_key_never_goes_to_another_host(
    shop: Shop, api: ScriptedApi, form: str, how: str
) -> None:
    with ScriptedApi() as other:
        target = f"{other.url}/items"
        link = json_reply([1], headers={"Link": f'<{target}>; rel="next"'})
        api.on("/items", redirect_reply(target) if how == "redirect" else link)
        shop.declare(ITEMS + 'paging = { kind = "link" }\n', source=FORMS[form])
        assert extract(shop) == (3 if how == "redirect" else 4)
        assert other.calls == []


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_an_answer_that_holds_the_key_is_refused(
    shop: Shop, api: ScriptedApi, spelling: str
) -> None:
    api.on("/items", json_reply([{"you": f"are {spelling}"}]))
    shop.declare(source=FORMS["bearer"])
    assert extract(shop) == 4
    assert shop.landed() == {}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("status", [200, 400, 401, 404, 503])
def test_an_error_that_holds_the_key_tells_it_to_nobody(
    shop: Shop, api: ScriptedApi, spelling: str, status: int
) -> None:
    api.on("/items", json_reply({"error": f"bad key {spelling}"}, status))
    shop.declare(source=f'error = "error"\n{FORMS["bearer"]}')
    assert extract(shop) == 3


def test_a_key_that_is_cut_in_a_reason_or_an_excerpt_is_told_to_nobody(
    shop: Shop, api: ScriptedApi, on_threads: None
) -> None:
    long = "k" * 30 + "0123456789" * 9
    shop_key = pytest.MonkeyPatch()
    shop_key.setenv("SHOP_KEY", long)
    api.on("/items", json_reply({"error": " ".join([long] * 30)}, 400))
    shop.declare(source=FORMS["bearer"])
    ran = shop.extract("--json")
    shop_key.undo()
    assert ran.status == 3
    assert "k" * 20 not in ran.out + ran.err + shop.written().decode()


def test_an_error_message_that_is_cut_within_the_key_is_told_to_nobody(
    shop: Shop, api: ScriptedApi
) -> None:
    api.on("/items", json_reply({"error": "x" * (204 - len(KEY)) + KEY}))
    shop.declare(source=f'error = "error"\n{FORMS["bearer"]}')
    ran = shop.extract("--json")
    assert KEY[:12] not in ran.out + ran.err + shop.written().decode()


def test_a_content_coding_that_holds_the_key_is_told_to_nobody(
    shop: Shop, api: ScriptedApi
) -> None:
    api.on("/items", Reply(body=b"[1]", headers={"Content-Encoding": f"{'x' * 25}{KEY}"}))
    shop.declare(source=FORMS["bearer"])
    ran = shop.extract("--json")
    assert ran.status == 3
    assert KEY[:12] not in ran.out + ran.err + shop.written().decode()


@pytest.mark.parametrize("field", ["total", "rows"])
def test_an_unknown_shape_that_holds_the_key_tells_it_to_nobody(
    shop: Shop, api: ScriptedApi, field: str
) -> None:
    api.on("/items", json_reply({"rows": [1], "total": 1, field: KEY}))
    shop.declare(ITEMS + 'records = "rows"\ntotal = "total"\n', source=FORMS["bearer"])
    assert extract(shop) == 4


def test_headers_and_addresses_that_hold_the_key_are_cleaned(shop: Shop, api: ScriptedApi) -> None:
    encoded = quote(KEY, safe="")
    headers = {"ETag": f'"{KEY}"', "X-Echo": KEY, "Content-Type": f"application/json; k={KEY}"}
    api.on("/items", [redirect_reply(f"/items/{encoded}?api_key={encoded}&a=1")])
    api.answer(lambda call: json_reply([1], headers=headers))
    shop.declare(source=FORMS["param"])
    assert extract(shop) == 0
    assert set(shop.receipts()["items/all.json"]["headers"]) == {"etag", "content-type", "date"}


def test_a_next_url_that_holds_the_key_is_asked_and_cleaned(shop: Shop, api: ScriptedApi) -> None:
    def answer(call: Call) -> Reply:
        link = f'</items?api_key={quote(KEY, safe="")}&p=2>; rel="next"'
        return json_reply([1], headers={} if "p" in call.query else {"Link": link})

    api.on("/items", answer)
    shop.declare(ITEMS + 'paging = { kind = "link" }\n', source=FORMS["param"])
    assert extract(shop) == 0
    assert [call.query.get("api_key") for call in api.calls] == [[KEY], [KEY]]


@pytest.mark.parametrize(
    "wrong", [None, "", "short12", "schlüssel-lang", "with\nline end", " edge blank"]
)
def test_a_key_that_cannot_be_one_is_refused_before_anything_is_sent(
    shop: Shop, api: ScriptedApi, monkeypatch: pytest.MonkeyPatch, wrong: str | None
) -> None:
    monkeypatch.delenv("SHOP_KEY")
    if wrong is not None:
        monkeypatch.setenv("SHOP_KEY", wrong)
    shop.declare(source=FORMS["bearer"])
    ran = shop.extract()
    assert (ran.status, api.calls) == (2, [])
    assert "SHOP_KEY" in ran.err
    assert not wrong or wrong not in ran.err


def test_a_key_is_needed_only_for_the_source_that_is_extracted(
    shop: Shop, api: ScriptedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SHOP_KEY")
    api.on("/items", json_reply([1]))
    keyed = f'[source.keyed]\nbase_url = "{api.url}"\n{FORMS["bearer"]}\n'
    shop.declare(ITEMS + keyed + ITEMS.replace("shop", "keyed"))
    assert shop.extract("shop").status == 0
    assert shop.extract("keyed").status == 2
    assert shop.run("catalog", "check", str(shop.catalog)).status == 0
