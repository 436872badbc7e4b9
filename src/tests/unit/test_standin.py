"""The stand-in: what it replays, what it makes up, what it breaks on request, what it counts."""

import gzip
import hashlib
import json
import socket
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from typing import Any

import pytest
import requests
from urllib3.exceptions import DecodeError

from ashore import standin_damage, standin_faults
from ashore.standin import (
    EDITIONS,
    Fault,
    Standin,
    catalog_text,
    describe_faults,
    parse_fault,
)

pytestmark = pytest.mark.slow  # real servers and processes

RECORDED = files("ashore") / "recorded" / "world_bank"
LIST = "/world_bank/v2/country?format=json&per_page=400"
POPULATION = "/world_bank/v2/country/{}/indicator/SP.POP.TOTL?format=json&mrv=10&per_page=100"
KEY = {"Authorization": "Bearer a-key-of-some-length"}

# SHA-256, cut to 32 digits, of bodies that were rebuilt from the same values by another program.
REBUILT = {
    "ABW": "4ff2e68c1fa96e65b5637af83708f088",
    "AFG": "765b545a22a4cc38c8cbd0be0181e089",
    "BRA": "2149cc26c3bb4557c36f6b4ad21a7ead",
    "CHI": "52eab8845a7e59fbe9a9eaf705bc3376",
    "DEU": "3999ef8e7c1a16ae790e034f29c05a71",
    "ERI": "d5ee752d4d5870598c1e31c180ca4cf3",
    "FRA": "43f42b4ff8ef0a6bd042d6f8130a6919",
    "IND": "278b3b98692091b1ab911424bed43cbb",
    "INX": "74ca20e12889eec17b35bac182c24ffa",
    "NGA": "52a7d89bb30319f3a56637c78a22cf4b",
    "PSE": "aba655ad31b2255e726798c1f6413a82",
    "TUV": "c16be6d5b1a0bb96928594c7a4635ff0",
    "USA": "064576aecfe63a5f772ca722eff20412",
    "XKX": "13cdf31db1a4934a145aad335ba1a8e4",
}

CATALOG = """\
default = ["world_bank"]  # the usual one

[source.world_bank]
base_url = "https://api.worldbank.org/v2"   # the real one
error    = "[0].message"
rate     = "3/s"  # polite

[[source.world_bank.endpoint]]
name = "countries"
path = "country"
params = { rate = "3/s" }

[source.rest_countries]
base_url = 'https://api.restcountries.com/countries/v5'
rate = "20/10s"

[source.countries_dev]
base_url = "https://countries.dev"
"""


class Client:
    """Asks one stand-in over one kept connection, and follows nothing by itself."""

    def __init__(self, standin: Standin, session: requests.Session) -> None:
        self.standin = standin
        self.session = session

    def get(self, path: str, **headers: str) -> requests.Response:
        return self.session.get(
            self.standin.url + path, headers=headers, timeout=5, allow_redirects=False
        )

    def json(self, path: str, **headers: str) -> Any:
        return self.get(path, **headers).json()


@pytest.fixture(scope="module")
def running() -> Iterator[Standin]:
    with Standin() as standin:
        yield standin


@pytest.fixture
def client(running: Standin) -> Iterator[Client]:
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Accept-Encoding"] = "identity"
        yield Client(running, session)
    running.edition, running.faults, running.latency = EDITIONS[0], (), 0.0


def recorded(name: str) -> bytes:
    return (RECORDED / name).read_bytes()


class TestWorldBank:
    @pytest.mark.parametrize(
        ("edition", "name"),
        [
            ("2024-04", "countries_per400_2024-04.json"),
            ("2025-01", "countries_per400_2025-01.rebuilt.json"),
        ],
    )
    def test_the_list_has_the_recorded_bytes(self, client: Client, edition: str, name: str) -> None:
        client.standin.edition = edition
        answer = client.get(LIST)
        assert answer.content == recorded(name)
        assert answer.headers["Content-Type"] == "application/json;charset=utf-8"

    def test_pages_of_the_list_put_together_are_the_list(self, client: Client) -> None:
        pages = [client.json(f"{LIST[:-3]}100&page={page}") for page in (1, 2, 3)]
        assert pages[1][0] == {"page": 2, "pages": 3, "per_page": "100", "total": 296}
        assert [record for page in pages for record in page[1]] == client.json(LIST)[1]

    def test_a_page_past_the_end_is_an_empty_list(self, client: Client) -> None:
        header, rows = client.json(f"{LIST}&page=99")
        assert (header["page"], header["pages"], rows) == (99, 1, [])

    @pytest.mark.parametrize("code", REBUILT)
    def test_a_population_is_cut_byte_for_byte(self, client: Client, code: str) -> None:
        body = client.get(POPULATION.format(code)).content
        assert hashlib.sha256(body).hexdigest()[:32] == REBUILT[code]

    def test_the_population_of_all_is_the_recorded_file(self, client: Client) -> None:
        body = client.get(POPULATION.format("all").replace("=100", "=3000")).content
        assert body == recorded("population_all_mrv10_per3000_2026-02.rebuilt.json")

    def test_every_economy_of_the_list_has_its_rows(self, client: Client) -> None:
        records = client.json(LIST)[1]
        economies = [one["id"] for one in records if one["region"]["id"] != "NA"]
        answers = [client.json(POPULATION.format(code)) for code in economies]
        assert len(economies) == 217
        assert {(header["total"], len(rows)) for header, rows in answers} == {(10, 10)}

    def test_fewer_years_and_several_codes_can_be_asked(self, client: Client) -> None:
        header, rows = client.json(POPULATION.format("FRA;de").replace("mrv=10", "mrv=2"))
        assert [(row["countryiso3code"], row["date"]) for row in rows] == [
            ("FRA", "2024"),
            ("FRA", "2023"),
            ("DEU", "2024"),
            ("DEU", "2023"),
        ]
        assert header["total"] == 4

    def test_one_country_is_a_list_of_one(self, client: Client) -> None:
        header, rows = client.json("/world_bank/v2/country/jpn?format=json")
        assert header == {"page": 1, "pages": 1, "per_page": "50", "total": 1}
        assert rows[0]["name"] == "Japan"

    def test_a_group_without_rows_has_null_rows(self, client: Client) -> None:
        table = client.json(POPULATION.format("all").replace("=100", "=3000"))[1]
        known = {row["country"]["id"] for row in table}
        missing = next(r["id"] for r in client.json(LIST)[1] if r["iso2Code"] not in known)
        assert client.get(POPULATION.format(missing)).content == recorded("null_rows.json")

    @pytest.mark.parametrize(
        "path",
        [
            "country/NOWHERE?format=json",
            "country/FRA/indicator/NO.SUCH?format=json",
            "country/FRA;ZZZ/indicator/SP.POP.TOTL?format=json",
            "country?format=json&per_page=many",
            "country?format=json&page=0",
            "topic?format=json",
        ],
    )
    def test_what_is_not_known_is_an_error_under_200(self, client: Client, path: str) -> None:
        answer = client.get(f"/world_bank/v2/{path}")
        assert (answer.status_code, answer.content) == (200, recorded("error_120_2021-06.json"))

    def test_without_a_format_comes_xml(self, client: Client) -> None:
        answer = client.get("/world_bank/v2/country")
        assert answer.headers["Content-Type"] == "text/xml"


class TestGenerated:
    def test_the_keyed_list_comes_in_pages_with_unique_ids(self, client: Client) -> None:
        pages = [
            client.json(f"/rest_countries/v5?limit=100&offset={offset}", **KEY)["data"]
            for offset in (0, 100, 200)
        ]
        ids = [one["uuid"] for page in pages for one in page["objects"]]
        assert len(set(ids)) == len(ids) == 254
        assert [page["meta"]["more"] for page in pages] == [True, True, False]
        assert {page["meta"]["total"] for page in pages} == {254}
        assert [page["meta"]["count"] for page in pages] == [100, 100, 54]

    def test_two_calls_have_the_same_records_under_another_stamp(self, client: Client) -> None:
        one, two = (client.json("/rest_countries/v5/", **KEY)["data"] for _ in range(2))
        assert one["objects"] == two["objects"]
        assert one["meta"]["request_id"] != two["meta"]["request_id"]
        assert one["meta"]["duration"] != two["meta"]["duration"]

    @pytest.mark.parametrize(
        ("key", "code"), [("", "authKeyMissing"), ("Bearer short", "authKeyNotFound")]
    )
    def test_without_a_good_key_it_is_a_401(self, client: Client, key: str, code: str) -> None:
        answer = client.get("/rest_countries/v5", Authorization=key)
        assert answer.status_code == 401
        assert answer.json()["errors"][0]["code"] == code

    def test_the_key_can_come_in_the_query(self, client: Client) -> None:
        assert client.get("/rest_countries/v5?api-key=12345678").status_code == 200

    def test_a_limit_over_100_is_refused(self, client: Client) -> None:
        answer = client.get("/rest_countries/v5?limit=101", **KEY)
        assert answer.status_code == 400
        assert "limit" in answer.json()["errors"][0]["message"]

    def test_the_keyless_list_leads_to_its_records(self, client: Client) -> None:
        records = client.json("/countries_dev/countries")
        codes = [record["alpha3Code"] for record in records]
        assert len(set(codes)) == len(records) == 250
        assert client.json(f"/countries_dev/alpha/{codes[7]}") == records[7]

    def test_an_unknown_code_is_a_404_in_the_shape_of_the_api(self, client: Client) -> None:
        answer = client.get("/countries_dev/alpha/12")
        assert (answer.status_code, answer.json()) == (404, {"error": "Country not found"})

    def test_another_edition_changes_some_records_and_no_id(self, client: Client) -> None:
        before = client.json("/countries_dev/countries")
        client.standin.edition = EDITIONS[1]
        after = client.json("/countries_dev/countries")
        changed = [one for one, two in zip(before, after, strict=True) if one != two]
        assert 0 < len(changed) < 20
        assert [one["alpha3Code"] for one in before] == [two["alpha3Code"] for two in after]

    def test_a_world_has_as_many_items_as_it_says(self, client: Client) -> None:
        first = client.json("/world/250/items?per_page=100")
        last = client.json("/world/250/items?page=3&per_page=100")
        assert (first["total"], first["pages"], first["page"]) == (250, 3, 1)
        assert first["items"][0]["id"] == "item-000001"
        assert [len(first["items"]), len(last["items"])] == [100, 50]
        assert client.json("/world/250/items?page=4&per_page=100")["items"] == []

    @pytest.mark.parametrize("size", [100, 2048, 1_000_003])
    def test_an_item_has_the_size_that_is_asked(self, client: Client, size: int) -> None:
        answer = client.get(f"/world/2000000/item/item-1999999?size={size}")
        assert len(answer.content) == size
        assert answer.json()["id"] == "item-1999999"

    def test_the_same_seed_makes_the_same_world(self, client: Client) -> None:
        path = "/world/10/item/item-000003?size=500"
        with Standin(seed=1) as same, Standin(seed=2) as other:
            bodies = [
                client.session.get(url + path).content
                for url in (client.standin.url, same.url, other.url)
            ]
        assert bodies[0] == bodies[1] != bodies[2]

    @pytest.mark.parametrize(
        ("path", "status"),
        [
            ("/world/10/item/item-000011", 404),
            ("/world/10/item/item-1", 404),
            ("/world/10/item/x", 404),
            ("/world/ten/items", 400),
            ("/world/10/items?page=0", 400),
            ("/world/10/item/item-000001?size=-1", 400),
            ("/world", 404),
            ("/", 404),
            ("/rest_countries/v4", 401),
            ("/countries_dev/nothing", 404),
            ("/_standin/nothing", 404),
        ],
    )
    def test_what_is_not_there_says_so_in_json(
        self, client: Client, path: str, status: int
    ) -> None:
        answer = client.get(path)
        assert answer.status_code == status
        assert answer.json()


class TestFaults:
    def break_it(self, client: Client, *faults: str) -> None:
        client.standin.faults = [parse_fault(text) for text in faults]

    def test_a_burst_of_a_status_asks_to_come_back(self, client: Client) -> None:
        self.break_it(client, "status=503,path=*/item/*,first=2,retry-after=1")
        path = "/world/10/item/item-000001"
        answers = [client.get(path) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [503, 503, 200]
        assert answers[0].headers["Retry-After"] == "1"
        assert answers[0].content.startswith(b"\xef\xbb\xbf<!DOCTYPE html>")
        assert client.get("/world/10/items").status_code == 200

    @pytest.mark.parametrize("when", ["date", "date+90"])
    def test_the_wait_can_be_a_date(self, client: Client, when: str) -> None:
        self.break_it(client, f"status=429,retry-after={when}")
        assert client.get("/world/1/items").headers["Retry-After"].endswith(" GMT")

    def test_a_status_can_carry_json_or_nothing(self, client: Client) -> None:
        self.break_it(client, "status=400,body=json,query=a", "status=599,body=empty,query=b")
        assert client.json("/world/1/items?a") == {"error": "Bad Request"}
        assert client.get("/world/1/items?b").content == b""

    def test_a_cut_body_is_shorter_than_it_says(self, client: Client) -> None:
        self.break_it(client, "cut")
        with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
            client.get("/world/1/items")

    def test_a_cut_chunk_never_ends(self, client: Client) -> None:
        self.break_it(client, "chunk-cut")
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            client.get("/world/1/items")

    def test_a_page_of_html_comes_under_200(self, client: Client) -> None:
        self.break_it(client, "html")
        answer = client.get(LIST)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html")

    def test_an_empty_body_comes_under_200(self, client: Client) -> None:
        self.break_it(client, "empty")
        answer = client.get(LIST)
        assert (answer.status_code, answer.content) == (200, b"")

    def test_json_can_be_cut_off_under_a_right_length(self, client: Client) -> None:
        whole = client.get(LIST).content
        self.break_it(client, "truncated-json")
        assert client.get(LIST).content == whole[: len(whole) // 2]

    def test_the_envelope_comes_under_200(self, client: Client) -> None:
        self.break_it(client, "envelope")
        assert client.json(LIST)[0]["message"][0]["id"] == "120"

    def test_a_reset_comes_before_any_head(self, client: Client) -> None:
        self.break_it(client, "reset,first=1")
        with pytest.raises(requests.exceptions.ConnectionError, match="reset by peer"):
            client.get("/world/1/items")
        assert client.get("/world/1/items").status_code == 200

    def test_a_bad_gzip_body_fails_at_its_end(self, client: Client) -> None:
        self.break_it(client, "bad-gzip")
        with client.session.get(client.standin.url + LIST, stream=True, timeout=5) as answer:
            assert answer.raw.read(1000, decode_content=True).startswith(b'[{"page":1')
            with pytest.raises(DecodeError):
                answer.raw.read(decode_content=True)

    def test_a_cut_gzip_body_has_no_end(self, client: Client) -> None:
        self.break_it(client, "cut-gzip")
        with client.session.get(client.standin.url + LIST, stream=True, timeout=5) as answer:
            body = answer.raw.read(decode_content=False)
        with pytest.raises(EOFError):
            gzip.decompress(body)

    def test_a_redirect_goes_where_it_is_told(self, client: Client) -> None:
        self.break_it(client, "redirect=http://127.0.0.1:9/a%2Cb?was={target}")
        answer = client.get("/world/1/items?page=1")
        assert answer.status_code == 302
        assert answer.headers["Location"] == "http://127.0.0.1:9/a,b?was=/world/1/items?page=1"

    def test_a_slow_body_drips(self, client: Client) -> None:
        self.break_it(client, "slow=0.1")
        started = time.monotonic()
        with client.session.get(client.standin.url + "/world/1/items", stream=True) as answer:
            pieces = [answer.raw.read1(1000)]
            while piece := answer.raw.read1(1000):
                pieces.append(piece)
        assert len(pieces) > 1
        assert json.loads(b"".join(pieces))["total"] == 1
        assert time.monotonic() - started >= 0.1

    def test_a_wait_is_longer_than_a_short_patience(self, client: Client) -> None:
        self.break_it(client, "wait=30")
        with pytest.raises(requests.exceptions.ReadTimeout):
            client.session.get(client.standin.url + "/world/1/items", timeout=(5, 0.05))

    def test_every_third_request_of_all_paths(self, client: Client) -> None:
        self.break_it(client, "status=500,every=3")
        paths = [f"/world/9/item/item-00000{number}" for number in range(1, 10)]
        assert [client.get(path).status_code for path in paths] == [200, 200, 500] * 3

    def test_a_share_is_the_same_in_any_order(self, client: Client) -> None:
        paths = [f"/world/100/item/item-{number:06d}" for number in range(1, 101)]
        seen = []
        for order in (paths, paths[::-1]):
            self.break_it(client, "status=500,share=0.2,seed=3")
            seen.append({path for path in order if client.get(path).status_code == 500})
        assert seen[0] == seen[1]
        assert 10 < len(seen[0]) < 30

    def test_faults_follow_one_another(self, client: Client) -> None:
        self.break_it(client, "status=502,first=1", "status=503,first=2")
        statuses = [client.get("/world/1/items").status_code for _ in range(4)]
        assert statuses == [502, 503, 503, 200]

    def test_every_kind_has_a_look_and_a_line_of_help(self) -> None:
        assert set(standin_damage._KINDS) == set(standin_faults._KINDS)
        for word in (*standin_faults._KINDS, *standin_faults._OPTIONS):
            assert f"  {word}" in describe_faults()

    def test_all_options_are_read(self) -> None:
        text = " status = 503 , path=*/a*,query=*b*,share=.5,seed=9,retry-after=soon,body=json"
        assert parse_fault(text) == Fault(
            "status",
            "503",
            path="*/a*",
            query="*b*",
            share=0.5,
            seed=9,
            retry_after="soon",
            body="json",
        )

    @pytest.mark.parametrize(
        ("text", "hint"),
        [
            ("staus=503", 'did you mean "status"?'),
            ("", "there are status, redirect"),
            ("status", 'written "status=CODE"'),
            ("status=99", "write one from 200"),
            ("status=abc", "write one from 200"),
            ("cut=3", "takes no value"),
            ("slow=fast", "number of seconds"),
            ("cut,pth=*", 'did you mean "path"?'),
            ("cut,every", 'written "every=N"'),
            ("cut,every=0", "whole number"),
            ("cut,share=2", "write it like 0.1"),
            ("cut,share=0", "write it like 0.1"),
            ("cut,first=1,every=2", "only one of"),
            ("cut,first=1,first=2", "said twice"),
            ("status=500,body=htm", 'did you mean "html"?'),
            ("redirect=http://é", "ASCII"),
            ("status=500,retry-after=1\r\nX: y", "ASCII"),
        ],
    )
    def test_a_wrong_specification_gets_one_line(self, text: str, hint: str) -> None:
        with pytest.raises(ValueError, match=r"^fault ") as caught:
            parse_fault(text)
        assert hint in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1

    def test_numbers_that_say_nothing_are_refused(self) -> None:
        with pytest.raises(ValueError, match="1 or more"):
            Fault("cut", first=-1)


class TestServing:
    def test_requests_are_counted_but_not_the_question(self) -> None:
        with Standin() as standin, requests.Session() as session:
            client = Client(standin, session)
            client.get("/world/5/items?page=1", **KEY)
            client.get("/world/5/items")
            client.get("/nothing")
            told = client.json("/_standin/requests?arrivals=1")
            counts = standin.counts()
        assert told["total"] == counts.total == 3
        assert told["by_path"] == counts.by_path == {"/world/5/items": 2, "/nothing": 1}
        assert told["by_status"] == {"200": 2, "404": 1}
        assert [told["first"], told["last"]] == [counts.arrivals[0].at, counts.arrivals[2].at]
        assert [row[2] for row in told["arrivals"]] == ["page=1", "", ""]
        assert [arrival.authorized for arrival in counts.arrivals] == [True, False, False]

    def test_nothing_asked_is_nothing_counted(self) -> None:
        with Standin() as standin:
            counts = standin.counts()
        assert (counts.total, counts.first, counts.last, standin.requests) == (0, None, None, ())

    def test_latency_is_waited_by_all_at_the_same_time(self) -> None:
        with Standin(latency=0.1) as standin, ThreadPoolExecutor(8) as pool:
            started = time.monotonic()
            list(pool.map(requests.get, [f"{standin.url}/world/1/items"] * 8))
            took = time.monotonic() - started
            assert took >= 0.1
            assert standin.counts().busiest > 1

    def test_a_connection_is_kept(self, client: Client) -> None:
        host, port = client.standin.url.removeprefix("http://").split(":")
        ask = b"GET /world/1/items HTTP/1.1\r\nHost: x\r\n\r\n"
        with socket.create_connection((host, int(port)), 5) as line, line.makefile("rb") as reader:
            line.sendall(ask + ask + ask.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            assert reader.read().count(b"HTTP/1.1 200 OK") == 3

    @pytest.mark.parametrize(
        "first", [b"nonsense", b"GET / HTTP/1.1\r\nContent-Length: -1", b"a b c d"]
    )
    def test_what_is_not_http_is_refused(self, client: Client, first: bytes) -> None:
        host, port = client.standin.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), 5) as line, line.makefile("rb") as reader:
            line.sendall(first + b"\r\n\r\n")
            assert reader.readline() == b"HTTP/1.1 400 Bad Request\r\n"

    def test_only_reading_is_possible(self, client: Client) -> None:
        url = f"{client.standin.url}/world/1/items"
        assert client.session.post(url, data=b"x" * 100_000).status_code == 405
        answer = client.session.head(url)
        assert (answer.status_code, answer.content) == (200, b"")
        assert int(answer.headers["Content-Length"]) > 0

    def test_a_body_is_compressed_only_for_who_accepts_it(self) -> None:
        with Standin(gzip=True) as standin, requests.Session() as session:
            client = Client(standin, session)
            zipped = client.get(LIST, **{"Accept-Encoding": "gzip"})
            plain = client.get(LIST, **{"Accept-Encoding": "identity"})
        assert zipped.headers["Content-Encoding"] == "gzip"
        assert "Content-Encoding" not in plain.headers
        assert zipped.content == plain.content == recorded("countries_per400_2024-04.json")

    def test_closing_hangs_up_at_once(self) -> None:
        standin = Standin(faults=[Fault("wait", "60")])
        host, port = standin.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), 5) as line:
            line.sendall(b"GET / HTTP/1.1\r\n\r\n")
            while not standin.requests:
                time.sleep(0.001)
            standin.close()
            standin.close()
            assert b"HTTP/1.1 200" not in line.recv(1000)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)), 5)

    def test_a_bug_reaches_the_client(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Standin, "_answer", lambda *_: 1 / 0)
        answer = client.get("/world/1/items")
        assert answer.status_code == 500
        assert "ZeroDivisionError" in answer.json()["error"]

    def test_an_unknown_edition_is_refused(self) -> None:
        with pytest.raises(ValueError, match="2024-04 and 2025-01"):
            Standin(edition="2023-01")


class TestCatalog:
    def test_every_source_points_at_the_stand_in(self) -> None:
        sources = tomllib.loads(catalog_text("http://127.0.0.1:8/", "500/s", CATALOG))["source"]
        assert {name: source["base_url"] for name, source in sources.items()} == {
            "world_bank": "http://127.0.0.1:8/world_bank/v2",
            "rest_countries": "http://127.0.0.1:8/rest_countries/v5",
            "countries_dev": "http://127.0.0.1:8/countries_dev",
        }
        assert {source["rate"] for source in sources.values()} == {"500/s"}
        assert sources["world_bank"]["endpoint"][0]["params"] == {"rate": "3/s"}

    def test_comments_and_all_else_stay(self) -> None:
        text = catalog_text("http://127.0.0.1:8", None, CATALOG)
        changed = [
            (old, new)
            for old, new in zip(CATALOG.splitlines(), text.splitlines(), strict=True)
            if old != new
        ]
        assert len(changed) == 3
        assert changed[0][1].endswith('"http://127.0.0.1:8/world_bank/v2"   # the real one')

    def test_the_packaged_catalog_can_be_pointed(self) -> None:
        packaged = (files("ashore") / "catalog.toml").read_text(encoding="utf-8")
        pointed = tomllib.loads(catalog_text("http://127.0.0.1:8", "9/s", packaged))
        wanted = tomllib.loads(packaged)
        for source in (*pointed["source"].values(), *wanted["source"].values()):
            del source["base_url"], source["rate"]
        assert pointed == wanted

    @pytest.mark.parametrize(
        ("catalog", "hint"),
        [
            ('[source.other]\nbase_url = "x"', 'does not know the source "other"'),
            ('source.world_bank = { base_url = "x" }', "lines of their own"),
            ("[source", "Expected"),
        ],
    )
    def test_what_cannot_be_pointed_is_refused(self, catalog: str, hint: str) -> None:
        with pytest.raises(ValueError, match=hint):
            catalog_text("http://127.0.0.1:8", "9/s", catalog)
