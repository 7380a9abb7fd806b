"""frameshare.picamera2 against what picamera2 promises of its requests and buffers.

A stand-in camera has the attributes that frameshare.picamera2 uses, with real shared memory behind them: stand_in.py.
"""

import os
import select
import signal

import pytest

import frameshare
import frameshare.picamera2
from conftest import PATIENCE, until
from stand_in import Camera

def test_every_stream_and_the_metadata_of_a_request_are_shared():
    camera = Camera()
    with frameshare.picamera2.publish(camera, "pi", source_need=1), frameshare.Subscriber("pi") as subscriber:
        assert camera.complete()
        frame = subscriber.next(PATIENCE)
        main, lores = frame["main"], frame["lores"]
        assert main.array.shape == (40, 60, 4) and (main.array == 1).all() and main.layout[0].stride == 256
        assert [p.shape for p in lores.planes] == [(16, 32), (8, 16), (8, 16)] and lores.array.shape == (24, 64)
        assert lores.color_space == "sYCC" and frame.streams == ("main", "lores")
        assert (frame.timestamp, frame.clock, frame.sequence) == (1001, "boottime", 1)
        assert frame.metadata["ScalerCrop"] == frameshare.Rectangle(1, 2, 3, 4)
        assert frame.metadata["StatsOutput"] == bytes(i % 256 for i in range(500)) and "Odd" not in frame.metadata
        # The very buffer: what the camera writes shows.
        camera.maps["main", 0, 0][0] = 99
        assert main.array[0, 0, 0] == 99


def test_a_request_goes_back_when_nobody_holds_its_frame():
    camera = Camera(buffer_count=4)
    with frameshare.picamera2.publish(camera, "pi", source_need=1), frameshare.Subscriber(
        "pi", policy="queue:2", budget=3
    ) as subscriber:
        assert camera.complete() and camera.complete()
        first, second = subscriber.next(PATIENCE), subscriber.next(PATIENCE)
        assert len(camera.queued) == 2
        second.release()  # in any order
        until(lambda: sorted(camera.queued) == [1, 2, 3])
        first.release()
        until(lambda: len(camera.queued) == 4)


def test_nobody_can_take_the_cameras_last_buffers():
    camera = Camera(buffer_count=4)
    with frameshare.picamera2.publish(camera, "pi", source_need=2), frameshare.Subscriber(
        "pi", policy="queue:3", budget=4
    ) as greedy:
        held = []
        for _ in range(50):
            assert camera.complete()
            frame = greedy.try_next()
            held += [frame] if frame else []
        assert len(held) == 2 and camera.sequence == 50
        assert (held[0]["main"].array == 1).all() and (held[1]["main"].array == 2).all()


def test_without_subscribers_every_request_goes_back_at_once():
    camera = Camera(buffer_count=3)
    with frameshare.picamera2.publish(camera, "pi") as sharing:
        for _ in range(20):
            assert camera.complete() and len(camera.queued) == 3
        assert sharing.publisher.statistics.published == 20


def test_closing_gives_back_all_requests_and_the_callback():
    earlier = []
    camera = Camera()
    camera.pre_callback = earlier.append
    sharing = frameshare.picamera2.publish(camera, "pi", source_need=1)
    subscriber = frameshare.Subscriber("pi")
    camera.complete()
    frame = subscriber.next(PATIENCE)
    assert len(earlier) == 1 and len(camera.queued) == 3
    sharing.close()
    sharing.close()
    assert len(camera.queued) == 4 and camera.complete() and len(earlier) == 2
    assert subscriber.next(PATIENCE) is None


def test_an_unconfigured_camera_is_refused():
    camera = Camera()
    camera.config = None
    with pytest.raises(frameshare.FrameShareError, match="configure"):
        frameshare.picamera2.publish(camera, "pi")

def test_the_cameras_controls_are_set_by_other_programs():
    camera = Camera()
    with frameshare.picamera2.publish(camera, "pi"), frameshare.Monitor("pi") as monitor:
        controls = monitor.controls()
        assert list(controls) == sorted(camera.camera_controls)
        assert {control.kind for control in controls.values()} == {"boolean", "integer", "number", "rectangle", "other"}
        assert (controls["ExposureTime"].minimum, controls["ExposureTime"].maximum) == ("14", "66666")
        assert controls["Odd"].read_only
        assert monitor.set_control("ExposureTime", 8000) == "8000"
        assert monitor.set_control("AeEnable", False) == "false"
        assert monitor.set_control("ColourGains", (1.5, 2.0)) == "1.5,2.0"
        assert monitor.set_control("ScalerCrop", frameshare.Rectangle(4, 2, 640, 480)) == "4,2/640x480"
        assert monitor.set_control("AfWindows", "1,2/30x40") == "1,2/30x40"
        assert monitor.set_control("FrameDurationLimits", (33_333, 40_000)) == "33333,40000"
        assert camera.controls_set[4:] == [{"AfWindows": [(1, 2, 30, 40)]}, {"FrameDurationLimits": (33_333, 40_000)}]
        assert camera.controls_set[:4] == [
            {"ExposureTime": 8000}, {"AeEnable": False}, {"ColourGains": (1.5, 2.0)}, {"ScalerCrop": (4, 2, 640, 480)},
        ]
        assert monitor.controls()["ExposureTime"].value == "8000"
        # What the camera's thread could not bear is refused before it gets there.
        for name, value, reason in [
            ("ExposureTime", "soon", "no value of"), ("ExposureTime", 70_000, "out of the range"),
            ("ExposureTime", "100,200", "takes 1 number"), ("ColourGains", 1.5, "takes 2 numbers"),
            ("ColourGains", "nan,1", "no value of"), ("ScalerCrop", "1,2,3,4", "no value of"),
            ("AnalogueGain", 2.0, "not advertised"), ("Odd", 1, "only be read"), ("Tint", 1, "no control 'Tint'"),
        ]:
            with pytest.raises(frameshare.Refused, match=reason):
                monitor.set_control(name, value)
        assert len(camera.controls_set) == 6
    # Closed, and its thread with it.
    assert camera.complete()


def test_a_fork_of_the_program_does_not_end_its_parents_sharing():
    camera = Camera()
    with frameshare.picamera2.publish(camera, "pi") as sharing, frameshare.Subscriber("pi") as subscriber:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                sharing.close()
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(child, 0) == (child, 0)
        # Nor does its thread run without a pause.
        assert select.select([sharing._stop], [], [], 0)[0] == []
        assert camera.complete() and subscriber.next(PATIENCE) is not None


def test_ctrl_c_in_the_middle_of_closing_leaves_no_request_behind(monkeypatch):
    camera, close = Camera(), frameshare.Publisher.close

    def interrupted(*arguments, **options):
        signal.raise_signal(signal.SIGINT)
        close(*arguments, **options)

    sharing = frameshare.picamera2.publish(camera, "pi", source_need=1)
    with frameshare.Subscriber("pi") as subscriber:
        assert camera.complete()
        frame = subscriber.next(PATIENCE)
        monkeypatch.setattr(frameshare.Publisher, "close", interrupted)
        with pytest.raises(KeyboardInterrupt):
            sharing.close()
        assert frame.revoked and len(camera.queued) == 4
