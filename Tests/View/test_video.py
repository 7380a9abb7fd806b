"""Packets that are shared play as video, and a clip can be asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Browser
from processes import Processes, until


@pytest.fixture(scope="module")
def address(processes: Processes) -> Iterator[str]:
    processes.publish("camera0", "640x360", 20)
    processes.start("encode", "camera0", "--bit-rate", "2M").wait_for("Ctrl-C ends it")
    yield processes.view()[1]


def test_shared_packets_play_and_move(address: str, browser: Browser) -> None:
    browser.open(address)
    last = -1
    for _ in range(4):
        last = browser.wait_for_number(lambda number, last=last: number > last, channel="camera0-h264")
    assert browser.run("return document.querySelector('#channel-camera0-h264 video').videoWidth") == 640


def test_a_clip_is_recorded_when_the_button_is_pressed(
    address: str, processes: Processes, browser: Browser, tmp_path: Path
) -> None:
    browser.open(address)
    hidden = "return document.querySelector('#channel-camera0-h264 .trigger')?.hidden"
    until("there is no button while nobody waits", lambda: browser.run(hidden) is True)
    clip = tmp_path / "clip.mp4"
    processes.start("record", "camera0-h264", "-o", str(clip), "--on-trigger", "--pre", "1s", "--post", "1s")
    until("the button is there", lambda: browser.run(hidden) is False)
    browser.run("document.querySelector('#channel-camera0-h264 .trigger').click()")
    browser.wait_for_text("#notice", "a clip is being recorded")
    until("the clip is there", lambda: any(file.stat().st_size for file in tmp_path.glob("clip*.mp4")))
