"""frameshare.remote and frameshare.picamera2 beside the real picamera2: its classes, libcamera's own types, and requests of picamera2's class.

There is no camera here: the buffers are shared memory, filled by the test.
"""

import inspect
import io
import mmap
import threading
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import real_picamera2
import remote_jobs as jobs
from conftest import PATIENCE, until
from stand_in import Camera

import frameshare.picamera2
import frameshare.remote
from frameshare.remote import Process

try:
    real_picamera2.load()
except ImportError as error:
    pytest.skip(f"the real picamera2 is not here: {error}", allow_module_level=True)

import libcamera
import picamera2.controls
import picamera2.request

pytest.importorskip("picamera2.remote", reason="this picamera2 has no remote module")


@dataclass(frozen=True)
class Control:
    """A control's id, as libcamera has it."""

    name: str


class Sync:
    """What picamera2's allocators do around the CPU's access: nothing, for this memory needs none."""

    def __init__(self, allocator, buffer, write):
        self.memory = allocator.maps[id(buffer)]

    def __enter__(self):
        return self.memory

    def __exit__(self, *_):
        pass


class RealRequests(Camera):
    """The stand-in for a camera, whose requests are picamera2's own CompletedRequest."""

    def __init__(self, **streams):
        self.request_lock = threading.Lock()
        self.stop_count, self.started = 0, True
        super().__init__(3, **streams)
        self.camera = SimpleNamespace(id="/base/stand-in", queue_request=lambda request: self.queued.append(request.index))
        self.controls = SimpleNamespace(get_libcamera_controls=dict)
        self.helpers = picamera2.request.Helpers(self)

    def configure(self, buffer_count, **options):
        super().configure(buffer_count, **options)
        self.config["transform"] = libcamera.Transform(hflip=1, vflip=0)
        self.config["colour_space"] = libcamera.ColorSpace.Sycc()
        self.camera_config = self.config
        allocator = self.allocator
        allocator.maps, allocator.mapped_buffers = {}, {}
        for stream, buffers in allocator.all.items():
            for buffer in buffers:
                allocator.maps[id(buffer)] = mmap.mmap(buffer.planes[0].fd, buffer.planes[0].length)
        allocator.sync = Sync
        allocator.acquire = allocator.release = lambda buffers: None

    def capture(self):
        index, self.sequence = self.queued.pop(0), self.sequence + 1
        buffers = {stream: each[index] for stream, each in self.allocator.all.items()}
        for stream, buffer in buffers.items():
            content = np.arange(buffer.planes[0].length, dtype=np.uint8) * 7 + self.sequence
            self.allocator.maps[id(buffer)][:] = content.tobytes()
        metadata = {
            Control(name="SensorTimestamp"): 1000 + self.sequence,
            Control(name="ScalerCrop"): libcamera.Rectangle(1, 2, 3, 4),
            Control(name="ColourGains"): (1.5, 2.5),
            Control(name="AnalogueGain"): 2.0,
            Control(name="DigitalGain"): 1.0,
            Control(name="ExposureTime"): 8000,
        }
        request = SimpleNamespace(buffers=buffers, metadata=metadata, sequence=self.sequence, index=index, reuse=lambda: None)
        return picamera2.request.CompletedRequest(request, self)


def stream(format, width, height, stride, rows=None):
    return {"format": format, "size": (width, height), "stride": stride, "framesize": stride * (rows or height)}


FORMATS = [
    stream("RGB888", 60, 40, 192),
    stream("BGR888", 64, 40, 192),
    stream("XBGR8888", 60, 40, 256),
    stream("XRGB8888", 64, 40, 256),
    stream("RGB161616", 30, 20, 192),
    stream("BGR161616", 32, 20, 192),
    stream("YUV420", 60, 40, 64, 60),
    stream("YVU420", 64, 40, 64, 60),
    stream("NV12", 60, 40, 64, 60),
    stream("NV21", 64, 40, 64, 60),
    stream("YUYV", 60, 40, 128),
    stream("UYVY", 64, 40, 128),
    stream("YVYU", 60, 40, 128),
    stream("VYUY", 60, 40, 128),
    stream("R8", 60, 40, 64),
    stream("SBGGR8", 60, 40, 64),
    stream("SRGGB10", 60, 40, 128),
    stream("SGRBG10_CSI2P", 60, 40, 96),
    stream("SGBRG12", 60, 40, 128),
    stream("SRGGB12_CSI2P", 60, 40, 96),
    stream("SRGGB16", 60, 40, 128),
    stream("BGGR_PISP_COMP1", 60, 40, 64),
]


def test_signatures_are_picamera2s() -> None:
    for name in ("Process", "Pool", "RemoteMappedArray"):
        theirs, ours = getattr(picamera2.remote, name), getattr(frameshare.remote, name)
        expected = list(inspect.signature(theirs).parameters)
        assert list(inspect.signature(ours).parameters)[: len(expected)] == expected, name
        extra = list(inspect.signature(ours).parameters.values())[len(expected) :]
        assert all(parameter.kind == parameter.KEYWORD_ONLY for parameter in extra)
    for name in ("Process", "Pool", "RemoteRequest", "RemoteMappedArray"):
        theirs, ours = getattr(picamera2.remote, name), getattr(frameshare.remote, name)
        for method, function in inspect.getmembers(theirs, inspect.isfunction):
            if not method.startswith("_"):
                assert list(inspect.signature(getattr(ours, method)).parameters) == list(
                    inspect.signature(function).parameters
                ), f"{name}.{method}"


@pytest.fixture(scope="module")
def describing():
    """A worker for all formats: the camera is configured anew for each."""
    camera = RealRequests(main=FORMATS[0])
    with Process(jobs.describe, camera, real_picamera2.load) as process:
        yield camera, process


@pytest.mark.parametrize("config", FORMATS, ids=[config["format"] for config in FORMATS])
def test_w21_arrays_are_those_of_the_local_request(describing, config) -> None:
    camera, process = describing
    camera.configure(3, main=config)
    request = camera.capture()
    future = process.send(request)
    local = request.make_array("main")
    (shape, dtype, writable, _), array, buffer = future.result(PATIENCE)
    assert (shape, dtype, writable) == (local.shape, local.dtype.str, True)
    assert array == local.tobytes() and buffer == request.make_buffer("main").tobytes()
    request.release()


def test_w21_mjpeg_is_decoded(describing) -> None:
    import PIL.Image

    output = io.BytesIO()
    PIL.Image.new("RGB", (64, 48), (200, 10, 10)).save(output, "JPEG")
    camera, process = describing
    camera.configure(3, main={"format": "MJPEG", "size": (64, 48), "stride": 0, "framesize": 16384})
    request = camera.capture()
    memory = next(iter(camera.allocator.maps.values()))
    memory[: len(output.getvalue())] = output.getvalue()
    (shape, dtype, *_), array, _ = process.send(request).result(PATIENCE)
    assert (shape, dtype) == ((48, 64, 3), "|u1") and array == request.make_array("main").tobytes()
    request.release()


def test_libcameras_own_types_arrive() -> None:
    camera = RealRequests(main=FORMATS[0])
    with Process(jobs.libcamera_objects, camera, real_picamera2.load) as process:
        module, transform, space = process.send(camera.capture()).result(PATIENCE)
        assert "libcamera" in module and transform == str(camera.config["transform"])
        assert space == str(camera.config["colour_space"])


def test_images_and_files_are_saved_by_picamera2s_own_helpers(tmp_path) -> None:
    import piexif
    import PIL.Image

    camera = RealRequests(main=FORMATS[1], raw=FORMATS[18])
    with Process(jobs.saves, camera, real_picamera2.load) as process:
        assert process.send(camera.capture(), path=str(tmp_path / "a.jpg")).result(PATIENCE) > 500
        exif = piexif.load(str(tmp_path / "a.jpg"))
        assert exif["0th"][piexif.ImageIFD.Model] == b"/base/stand-in"
        process.send(camera.capture(), path=str(tmp_path / "a.png")).result(PATIENCE)
        assert PIL.Image.open(tmp_path / "a.png").size == (64, 40)
    camera = RealRequests(main=FORMATS[1])
    with Process(jobs.image, camera, real_picamera2.load) as process:
        request = camera.capture()
        local = request.make_image("main")
        assert process.send(request).result(PATIENCE) == ("RGB", local.size, local.getpixel((0, 0)))


def test_requests_go_back_to_the_camera_when_workers_are_done() -> None:
    camera = RealRequests(main=FORMATS[2])
    with Process(jobs.nothing, camera, real_picamera2.load) as process:
        for _ in range(30):
            request = camera.capture()
            future = process.send(request)
            request.release()
            future.result(PATIENCE)
            until(lambda: len(camera.queued) == 3)


def test_controls_that_others_set_are_what_picamera2_gives_to_libcamera():
    camera = Camera()
    info = {name: (getattr(libcamera.controls, name), None) for name in camera.camera_controls if name != "Odd"}
    controls = picamera2.controls.Controls(SimpleNamespace(camera_ctrl_info=info))
    camera.set_controls = controls.set_controls
    with frameshare.picamera2.publish(camera, "pi"), frameshare.Monitor("pi") as monitor:
        for name, value in [
            ("AeEnable", "off"), ("ExposureTime", 8000), ("ColourGains", "1.5,2"), ("AnalogueGain", 2),
            ("ScalerCrop", "4,2/640x480"), ("AfWindows", "1,2/30x40"), ("FrameDurationLimits", (33_333, 40_000)),
        ]:
            monitor.set_control(name, value)
    given = {id.name: value for id, value in controls.get_libcamera_controls().items()}
    assert given == {
        "AeEnable": False, "ExposureTime": 8000, "ColourGains": (1.5, 2.0), "AnalogueGain": 2.0,
        "ScalerCrop": libcamera.Rectangle(4, 2, 640, 480), "AfWindows": [libcamera.Rectangle(1, 2, 30, 40)],
        "FrameDurationLimits": (33_333, 40_000),
    }
