"""The HTTP interface, against its own description and against what nobody described."""

from __future__ import annotations

import http.client
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from browser import Browser
from processes import Processes


@pytest.fixture(scope="module")
def address(processes: Processes) -> str:
    processes.publish()
    return processes.view()[1]


def get(address: str, path: str, **header: str) -> tuple[int, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    connection.request("GET", path, headers=header)
    answer = connection.getresponse()
    connection.close()
    return answer.status, answer.headers


def test_schemathesis_finds_nothing(address: str, tmp_path: Path) -> None:
    # Streams that do not end are left out: those who read them have tests of their own.
    done = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"), "run", f"{address}/openapi.json",
            "--exclude-path-regex", r"\.(mjpg|mp4)$|/api/events$", "--max-examples", "50", "--request-timeout", "20",
            "--seed", "1", "--continue-on-failure", "--no-color",
        ],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path,
    )  # fmt: skip
    print(done.stdout)
    assert done.returncode == 0


@pytest.mark.parametrize("path", ["/channels/{name}/main.mjpg", "/channels/{name}/main.mp4"])
@pytest.mark.parametrize("name", ["..", "%2e%2e", "a%2fb", "%00", "x" * 65, ".hidden", "absent"])
def test_bad_and_absent_channels_are_refused(address: str, path: str, name: str) -> None:
    status, header = get(address, path.format(name=name))
    assert status in (400, 404)
    assert header["Content-Type"].startswith("application/json")


@pytest.mark.parametrize("path", ["/", "/view.js", "/openapi.json", "/healthz", "/api/channels", "/nothing"])
def test_the_policy_is_strict_everywhere(address: str, path: str) -> None:
    _, header = get(address, path)
    policy = header["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy and "http" not in policy
    assert header["X-Content-Type-Options"] == "nosniff"
    assert header["Referrer-Policy"] == "no-referrer"


def test_the_page_takes_nothing_from_elsewhere() -> None:
    folder = Path(__file__).parents[2] / "Sources/FrameView/Page"
    for file in folder.glob("*.*"):
        if file.suffix in (".html", ".js", ".css"):
            text = file.read_text().replace("http://www.w3.org/2000/svg", "")
            assert "http:" not in text and "https:" not in text and "//" not in text.replace("// ", ""), file.name


def test_text_beyond_the_basic_plane_is_json_too(address: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    body = r'{"name": "\ud83d\udcf7"}'
    connection.request("PUT", "/api/channels/camera0/controls", body, {"Content-Type": "application/json"})
    # The test pattern has no controls to set: the body was understood.
    assert connection.getresponse().status == 409
    connection.close()


def test_other_hosts_names_are_refused(address: str) -> None:
    assert get(address, "/api/channels", Host="evil.example")[0] in (400, 403, 421)


def test_a_token_in_the_address_opens_the_page_and_is_not_left_there(processes: Processes, browser: Browser) -> None:
    processes.publish("guarded")
    _, address = processes.view("--token", "a-token-for-tests")
    for path in ("/", "/api/channels", "/channels/guarded/main.mjpg", "/metrics"):
        assert get(address, path)[0] == 401
        assert get(address, path, Authorization="Bearer another-token")[0] == 401
    assert get(address, "/api/channels", Authorization="Bearer a-token-for-tests")[0] == 200
    browser.open(f"{address}/?token=a-token-for-tests")
    browser.wait_for_number(lambda number: True, channel="guarded")
    assert browser.driver.current_url == f"{address}/"
    assert browser.run("return document.cookie") == "", "a script can read the token"
    browser.driver.delete_all_cookies()
