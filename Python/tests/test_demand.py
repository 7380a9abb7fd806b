"""Sources that run on demand, and sources that are opened whoever publishes them."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

import frameshare
from frameshare import FrameFlags, Publisher, Subscriber


def publisher(folder: Path) -> Publisher:
    return Publisher("demand", {"main": (64, 48, "R8")}, slots=4, directory=folder)


def test_a_publisher_hears_when_frames_are_wanted_and_when_they_are_not(tmp_path: Path) -> None:
    with publisher(tmp_path) as source:
        with pytest.raises(frameshare.TimedOut):
            source.wait_for_demand(timeout=0.01)
        source.wait_for_no_demand(0)
        with Subscriber("demand", directory=tmp_path):
            source.wait_for_demand()
            with pytest.raises(frameshare.TimedOut):
                source.wait_for_no_demand(0, timeout=0.01)
        source.wait_for_no_demand(0.01)


def test_a_program_runs_its_camera_on_demand_and_readers_hear_why_it_does_not_start(tmp_path: Path) -> None:
    started, stopped = threading.Event(), threading.Event()
    attempts = []

    def start() -> None:
        attempts.append(1)
        if len(attempts) == 1:
            raise OSError("the camera is busy")
        started.set()

    with publisher(tmp_path) as source:
        thread = source.on_demand(start, stopped.set, linger=0)
        with Subscriber("demand", directory=tmp_path) as reader:
            while not reader.source_trouble:
                time.sleep(0.01)
            assert "the camera is busy" in reader.source_trouble
            assert started.wait(60)
            while reader.source_trouble:
                time.sleep(0.01)
            assert not stopped.is_set()
        assert stopped.wait(60)
    thread.join(60)
    assert not thread.is_alive()


def test_frames_of_a_start_up_are_for_readers_that_ask(tmp_path: Path) -> None:
    with publisher(tmp_path) as source, Subscriber("demand", directory=tmp_path) as usual:
        curious = Subscriber("demand", directory=tmp_path, policy="queue:2", startup_frames=True)
        flags = [FrameFlags.STARTUP, FrameFlags(0)]
        seen: list[FrameFlags] = []
        while FrameFlags.STARTUP not in seen:
            for flag in flags:
                source.publish(bytes(64 * 48), flags=flag)
            while (frame := curious.try_next()) is not None:
                seen.append(frame.flags)
                frame.release()
        frame = usual.next(timeout=60)
        assert frame is not None and FrameFlags.STARTUP not in frame.flags
        curious.close()


def test_what_is_no_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(frameshare.InvalidArgument):
        frameshare.open("camera0", directory=tmp_path)
    with pytest.raises(frameshare.InvalidArgument, match="No such file"):
        frameshare.open("/no/such/camera", directory=tmp_path)
