"""Many viewers, and bad ones: one encode for all, and nobody pays for another."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import frame_number
import pytest
from browser import Browser
from processes import Processes, until
from streams import PictureStream, get_json, next_event

STREAM = "/channels/camera0/main.mjpg"


@pytest.fixture(scope="module")
def address(processes: Processes) -> str:
    processes.publish("camera0", "1280x720", 30)
    return processes.view()[1]


def read(stream: PictureStream, count: int) -> dict[int, bytes]:
    """Pictures by their frames' numbers."""
    pictures: dict[int, bytes] = {}
    while len(pictures) < count:
        fields, picture = stream.picture()
        pictures[int(fields["x-sequence"])] = picture
    return pictures


def test_twenty_viewers_cost_one_encode(address: str) -> None:
    def published() -> int:
        return get_json(f"{address}/api/channels/camera0")["statistics"]["published"]

    before = published()
    viewers = [PictureStream(address, STREAM) for _ in range(20)]
    for viewer in viewers:
        viewer.begin()
    with ThreadPoolExecutor(len(viewers)) as threads:
        seen = list(threads.map(lambda viewer: read(viewer, 30), viewers))
    counts = next_event(address, "viewers")["camera0/main"]
    frames = published() - before
    for viewer in viewers:
        viewer.close()

    assert counts["viewers"] == 20
    # Not more encodes than frames (the count of those is up to a second old), for twenty times as many pictures.
    assert 30 <= counts["encoded"] <= frames + 45
    assert counts["sent"] >= 20 * 30
    common = set.intersection(*(set(pictures) for pictures in seen))
    assert common, "the viewers have no frame in common"
    for number in common:
        assert len({pictures[number] for pictures in seen}) == 1
        assert frame_number.read_picture(seen[0][number]) == number


def test_a_stalled_viewer_harms_nobody(address: str, browser: Browser) -> None:
    stalled = PictureStream(address, STREAM, receive_buffer=4096)
    stalled.begin()
    reader = PictureStream(address, STREAM)
    reader.begin()
    browser.open(address)
    browser.wait_for_number(lambda number: True)

    # The stalled one loses its own pictures, once its connection's buffers are full...
    dropped = next_event(address, "viewers")["camera0/main"]["dropped"]

    def loses() -> bool:
        read(reader, 20)
        return next_event(address, "viewers")["camera0/main"]["dropped"] > dropped

    until("the stalled viewer loses pictures", loses)

    # ...and the others have theirs, as the camera has its slots.
    first, *_ = read(reader, 1)
    assert max(read(reader, 40)) > first
    number = browser.wait_for_number(lambda number: True)
    browser.wait_for_number(lambda later: later > number)
    statistics = get_json(f"{address}/api/channels/camera0")["statistics"]
    assert statistics["lost"]["no_free_slot"] == 0
    assert statistics["pool"]["free"] >= statistics["pool"]["slots"] - 3
    assert [reader["name"] for reader in statistics["subscribers"] if reader["held"] > reader["budget"]] == []
    reader.close()
    stalled.close()


def test_the_feed_ends_after_its_last_viewer(address: str) -> None:
    viewer = PictureStream(address, STREAM)
    viewer.begin()
    viewer.picture()
    viewer.close()
    channel = f"{address}/api/channels/camera0"
    until("nobody reads the channel", lambda: get_json(channel)["statistics"]["subscribers"] == [])
