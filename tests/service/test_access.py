"""Keys, roles, hosts and origins: whoever may not ask is told nothing, and the log has it."""

from __future__ import annotations

import pytest
from api_calls import logged, search

from tapetum.errors import RecipeError
from tapetum.gallery.audit import AuditLog
from tapetum.gallery.keys import KeyRing
from tapetum.service.access import Access, RefusalLog, is_loopback
from tapetum.service.refusals import Refused

# (method, path, body, the role that it needs)
CALLS = [
    ("GET", "/api/gallery", None, "search"),
    ("GET", "/api/crops/1", None, "search"),
    ("GET", "/api/crops/1/thumbnail", None, "search"),
    ("POST", "/api/search", None, "search"),
    ("POST", "/api/shortlist", {"search": "0" * 32, "ids": [1]}, "search"),
    ("POST", "/api/crops", None, "ingest"),
    ("DELETE", "/api/crops/999", None, "admin"),
    ("POST", "/api/forget", {"ids": [999]}, "admin"),
    ("POST", "/api/retain", {"older_than_days": 36000}, "admin"),
    ("GET", "/api/audit/verify", None, "admin"),
]
WRONG = [None, "Bearer wrong", "Bearer ", "Basic YTpi", "Bearer " + "x" * 5000]


@pytest.mark.parametrize(("method", "path", "body", "needed"), CALLS)
def test_each_address_answers_its_role_alone(serving, folder, keys, method, path, body, needed):
    client = serving()
    for given in WRONG:
        answer = client.request(method, path, json=body, headers={} if given is None else {"Authorization": given})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert list(answer.json()) == ["error"]
    refused = 0
    for role, headers in keys.items():
        status = client.request(method, path, json=body, headers=headers).status_code
        if role in (needed, "admin"):
            assert status not in (401, 403)
        else:
            refused += 1
            assert status == 403
    client.app.state.service.close()
    entries = [entry for entry in logged(folder) if entry["action"] == "refused"]
    assert sum(entry["times"] for entry in entries) == len(WRONG) + refused
    assert {entry["asked"].split()[0] for entry in entries} == {method}
    assert not any("x" * 100 in str(entry) or "wrong" in entry["asked"] for entry in entries)


def test_a_key_counts_from_its_making_to_its_revoking(serving, folder):
    client = serving()
    assert search(client, ids=[1]).status_code == 200  # no key was ever given out: this machine is answered
    ring = KeyRing(folder)
    key = {"Authorization": f"Bearer {ring.add('desk', 'search')}"}
    assert search(client, ids=[1]).status_code == 401
    assert search(client, ids=[1], headers=key).status_code == 200
    assert logged(folder)[-1]["who"] == "desk"
    ring.revoke("desk")
    assert search(client, ids=[1], headers=key).status_code == 401
    assert search(client, ids=[1]).status_code == 401  # a gallery that had keys stays closed


def test_the_page_the_description_and_health_need_no_key(serving, keys):
    client = serving()
    assert client.get("/api/health").status_code == 200
    assert client.get("/api/openapi.json").status_code == 200
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    for path in ("/docs", "/redoc", "/api", "/api/nothing", "/assets/nothing.js"):
        assert client.get(path).status_code == 404
        assert list(client.get(path).json()) == ["error"]


@pytest.mark.parametrize(
    "path", ["/assets/../app.py", "/assets/..%2fapp.py", "/assets/%2e%2e/app.py", "/assets//etc/passwd"]
)
def test_no_path_leads_out_of_the_page(client, path):
    answer = client.get(path)
    assert answer.status_code == 404
    assert "import" not in answer.text


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("localhost:8000", 200),
        ("LOCALHOST", 200),
        ("[::1]:8000", 200),
        ("192.168.1.7", 200),  # a literal address cannot be rebound
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost.evil.example:8000", 403),
        ("evil.example@127.0.0.1", 200),  # what stands before the @ is no host
        ("[", 403),
        ("", 403),
    ],
)
def test_the_service_answers_to_its_names_alone(client, host, status):
    assert client.get("/api/gallery", headers={"host": host}).status_code == status


def test_a_name_can_be_given_where_there_are_keys(serving, keys, folder):
    client = serving(names=("search.example.org",))
    told = {**keys["search"], "host": "search.example.org"}
    assert client.get("/api/gallery", headers=told).status_code == 200
    assert client.get("/api/gallery", headers={**told, "host": "other.example.org"}).status_code == 403
    assert logged(folder)[-1]["reason"] == "a strange host name or a foreign page"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://127.0.0.1:8000"}, 200),
        ({"origin": "http://127.0.0.1:9000"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "cross-site"}, 403),
    ],
)
def test_a_page_of_another_origin_is_refused(client, headers, status):
    assert search(client, ids=[1], headers=headers).status_code == status
    assert client.get("/", headers=headers).status_code == 200  # a link from elsewhere leads to the page


def test_beyond_this_machine_only_with_keys(folder):
    ring = KeyRing(folder)
    for host, names in [("0.0.0.0", ()), ("::", ()), ("10.0.0.5", ()), ("some.host", ()), ("127.0.0.1", ("a.org",))]:
        with pytest.raises(RecipeError, match=r"is reached by others, and this gallery has no keys\. Give out a key"):
            Access(ring, host, names)
    ring.add("desk", "search")
    far = Access(ring, "0.0.0.0")
    (folder / "keys.json").unlink()  # whoever removes the keys does not open it
    with pytest.raises(Refused, match="no key was given"):
        far.caller(None, "search")
    assert [is_loopback(host) for host in ("127.0.0.1", "127.1.2.3", "::1", "localhost", "0.0.0.0", "x.org")] == [
        True, True, True, True, False, False,
    ]  # fmt: skip


def test_a_flood_of_refusals_is_counted_not_written(folder):
    time = [0.0]
    refusals = RefusalLog(AuditLog(folder), clock=lambda: time[0])
    for _ in range(1000):
        refusals.note("POST /api/search", "no key was given.", "10.0.0.1")
    assert [entry["times"] for entry in logged(folder)] == [1]
    time[0] = 61
    refusals.note("POST /api/search", "no key was given.", "10.0.0.1")
    assert [entry["times"] for entry in logged(folder)] == [1, 1000]
    refusals.note("POST /api/search", "no key was given.", "10.0.0.1")
    refusals.note("POST /api/search", "no key was given.", "10.0.0.2")
    refusals.close()
    assert [entry["times"] for entry in logged(folder)] == [1, 1000, 1, 1]


def test_strangers_do_not_fill_the_memory():
    class Counted:
        times = 0

        def append(self, _: str, **facts) -> None:
            self.times += facts["times"]

    log = Counted()
    refusals = RefusalLog(log)
    for number in range(3000):
        for _ in range(2):
            refusals.note("any", "a strange host name", str(number))
        assert len(refusals._seen) <= 1024
    refusals.close()
    assert log.times == 6000
