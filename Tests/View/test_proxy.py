"""The page below a path of a proxy: all that it asks for is found there."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from browser import Browser
from processes import Processes

NGINX = """
{user} daemon off; worker_processes 1; pid {home}/pid; error_log {home}/error.log;
events {{ worker_connections 64; }}
http {{ access_log off; client_body_temp_path {home}/body; proxy_temp_path {home}/proxy; fastcgi_temp_path {home}/f;
    uwsgi_temp_path {home}/u; scgi_temp_path {home}/s;
    server {{ listen 127.0.0.1:{port}; location /house/cams/ {{ proxy_pass http://{upstream}/; }} }} }}
"""


@pytest.fixture(scope="module")
def address(processes: Processes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    processes.publish("camera0", "640x360", 20)
    upstream = urlsplit(processes.view("--token", "a-token-for-tests")[1]).netloc
    home: Path = tmp_path_factory.mktemp("nginx")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    user = "user root;" if os.geteuid() == 0 else ""
    (home / "conf").write_text(NGINX.format(user=user, home=home, port=port, upstream=upstream))
    processes.start("-p", str(home), "-e", f"{home}/error.log", "-c", f"{home}/conf", program="/usr/sbin/nginx")
    yield f"http://127.0.0.1:{port}/house/cams"


def test_the_page_is_live_below_a_proxys_path(address: str, browser: Browser) -> None:
    # A cookie of another server on this machine is no obstacle.
    browser.open(f"{address}/?token=a-token-for-tests")
    last = -1
    for _ in range(3):
        last = browser.wait_for_number(lambda number, last=last: number > last)
    browser.wait_for_text("#connection", "Connected")
    assert browser.driver.current_url == f"{address}/"
    browser.driver.delete_all_cookies()
