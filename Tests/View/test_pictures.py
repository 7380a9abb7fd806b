"""What the page shows of the camera: moving pictures, and none where there is no signal."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import frame_number
import pytest
from browser import Browser
from processes import Command, Processes, until

STATE = "#channel-camera0 .state"


@pytest.fixture(scope="module")
def publisher(processes: Processes) -> Command:
    return processes.publish("camera0", "640x360", 20, "--stream", "lores=320x180")


@pytest.fixture(scope="module")
def server(processes: Processes, publisher: Command) -> tuple[Command, str]:
    return processes.view()


def test_pictures_of_all_streams_move(server: tuple[Command, str], browser: Browser) -> None:
    browser.open(server[1])
    for nth in (1, 2):
        last = -1
        for _ in range(4):
            last = browser.wait_for_number(lambda number, last=last: number > last, nth=nth)
    assert browser.text("#channel-camera0 .picture:nth-of-type(2) h3") == "lores"


def test_a_snapshot_is_saved_as_a_picture(server: tuple[Command, str], browser: Browser, downloads: Path) -> None:
    browser.open(server[1])
    shown = browser.wait_for_number(lambda number: True)
    browser.run("document.querySelector('#channel-camera0 .snapshot').click()")
    found = until("the snapshot is there", lambda: list(downloads.glob("camera0-main-*.jpg")))
    assert isinstance(found, list)
    number = frame_number.read_picture(found[0].read_bytes())
    assert number is not None and number >= shown
    assert found[0].name == f"camera0-main-{number}.jpg"
    browser.wait_for_text("#notice", f"Saved {found[0].name}")


def test_a_picture_stands_still_while_it_is_paused(server: tuple[Command, str], browser: Browser) -> None:
    browser.open(server[1])
    browser.wait_for_number(lambda number: True)
    pause = "document.querySelector('#channel-camera0 .pause').click()"
    browser.run(pause)
    browser.wait_for_text("#channel-camera0 .veil", "Paused")
    assert browser.run("return document.querySelector('#channel-camera0 .picture img').hasAttribute('src')") is False
    assert browser.run("return document.querySelector('#channel-camera0 .picture canvas').width") == 640
    browser.run(pause)
    browser.wait_for_number(lambda number: True)


def test_more_streams_than_a_browser_has_connections_are_all_shown(
    processes: Processes, server: tuple[Command, str], browser: Browser
) -> None:
    more = [word for index in range(1, 7) for word in ("--stream", f"s{index}=320x180")]
    publisher = processes.publish("many", "320x180", 5, *more)
    browser.set_size(1280, 2400)
    browser.open(server[1])
    stills = "return document.querySelectorAll('#channel-many .still').length"
    # Seven streams, and those of the other channel: four of all are live.
    for nth in (1, 7):
        first = browser.wait_for_number(lambda number: True, channel="many", nth=nth)
        browser.wait_for_number(lambda number, first=first: number > first, channel="many", nth=nth)
    until("what finds no connection is shown by stills", lambda: browser.run(stills) >= 3)
    # What is left of the connections is for what people do.
    browser.run("document.querySelector('#channel-many .snapshot').click()")
    browser.wait_for_text("#notice", "Saved many-main-")
    publisher.end()


def test_no_signal_is_shown_and_heals_by_itself(
    processes: Processes, server: tuple[Command, str], publisher: Command, browser: Browser
) -> None:
    browser.open(server[1])
    browser.wait_for_number(lambda number: True)
    browser.run("window.sameDocument = true")
    publisher.kill()
    browser.wait_for_text(STATE, "No signal")
    browser.wait_for_text("#channel-camera0 .veil", "No signal")
    assert "without signal" in browser.driver.title
    assert browser.text("#channel-camera0 [data-value=rate]") == "–", "a rate is told that is none"
    # What is back is another process, its numbers begin anew, and its pictures have another size.
    processes.publish("camera0", "480x360", 20)
    browser.wait_for_text(STATE, "Live")
    first = browser.wait_for_number(lambda number: True)
    browser.wait_for_number(lambda number: number > first)
    assert browser.run("return document.querySelector('#channel-camera0 img').naturalWidth") == 480
    assert browser.run("return window.sameDocument") is True


def test_a_server_that_comes_back_is_found_again(
    processes: Processes, server: tuple[Command, str], browser: Browser
) -> None:
    first, address = server
    browser.open(address)
    browser.wait_for_number(lambda number: True)
    first.kill()
    browser.wait_for_text("#connection", "No connection")
    browser.wait_for_text(STATE, "No connection")
    processes.view(listen=urlsplit(address).netloc)
    browser.wait_for_text("#connection", "Connected")
    number = browser.wait_for_number(lambda number: True)
    browser.wait_for_number(lambda later: later > number)
