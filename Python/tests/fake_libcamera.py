"""A libcamera without a camera, under the whole real picamera2: everything of picamera2's own runs as it is.

>>> fake_libcamera.install()             # raises ImportError where picamera2 was not fetched
>>> picam2 = picamera2.Picamera2()
>>> picam2.configure(...); picam2.start()

Buffers are memfds, and a thread fills the requests that are queued. Every 4 bytes of an image say which frame and which
stream it is (``pixels``); a frame's metadata say the same in ``FocusFoM``. A buffer that is queued is spoilt at once, as a
real camera may write to it at any time: who still reads it sees ``SPOILT``.
"""

from __future__ import annotations

import collections
import fcntl
import mmap
import os
import threading
import time
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import real_picamera2

SPOILT = 0x3FFFFFFF
_SEALS = 0x2 | 0x4  # F_SEAL_SHRINK, F_SEAL_GROW
_STREAMS = ("main", "lores", "raw")


def pixels(image) -> tuple[int, str]:
    """Which frame and stream bytes or an array are of. Fails where they are of several: a frame that was written to."""
    array = np.ascontiguousarray(image)
    rows = array.reshape(array.shape[0] if array.ndim > 1 else 1, -1).view(np.uint8)
    # Each row begins with a whole word; a packed raw one may end in the middle of another.
    words = np.ascontiguousarray(rows[:, : rows.shape[1] // 4 * 4]).view(np.uint32).reshape(-1)
    assert words.size and (words == words[0]).all(), f"torn: frames {sorted(set((words >> 2).tolist()))}"
    assert words[0] != SPOILT, "spoilt: the camera was given this buffer"
    return int(words[0]) >> 2, _STREAMS[int(words[0]) & 3]


@dataclass(frozen=True)
class NewerControl:
    """A control's id, where the fetched binding is older than picamera2."""

    name: str
    type: object = None


def memory(size: int) -> int:
    fd = os.memfd_create("fake-dma-buf", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, size)
    fcntl.fcntl(fd, 1033, _SEALS)  # F_ADD_SEALS
    return fd


class Plane:
    """Has a duplicate of the descriptor that it is given, as libcamera's."""

    def __init__(self) -> None:
        self.offset = self.length = 0
        self._fd = -1

    @property
    def fd(self) -> int:
        return self._fd

    @fd.setter
    def fd(self, fd: int) -> None:
        self._fd = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 0)

    def __del__(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)


class FrameBuffer:
    """One image's memory."""

    def __init__(self, planes, cookie=0) -> None:
        import libcamera

        self.planes, self.cookie = planes, cookie
        used = [SimpleNamespace(bytes_used=plane.length) for plane in planes]
        status = libcamera.FrameMetadata.Status.Success
        self.metadata = SimpleNamespace(status=status, sequence=0, timestamp=0, planes=used)

    def write(self, word: int, part: slice = slice(None)) -> None:
        plane = self.planes[0]
        with mmap.mmap(plane.fd, plane.length) as memory:
            # A MJPEG camera's sizes are no multiple of 4.
            np.frombuffer(memory, np.uint32, plane.length // 4)[part] = word


FrameBuffer.Plane = Plane


class FrameBufferAllocator:
    """libcamera's own allocator, which picamera2's LibcameraAllocator uses."""

    def __init__(self, camera) -> None:
        self._camera, self._all = camera, {}

    def allocate(self, stream) -> int:
        config = stream.configuration
        self._all[stream] = []
        for _ in range(config.buffer_count):
            plane, fd = Plane(), memory(config.frame_size)
            plane.fd, plane.length = fd, config.frame_size
            os.close(fd)
            self._all[stream].append(FrameBuffer([plane]))
        return config.buffer_count

    def buffers(self, stream):
        return self._all[stream]


class DmaHeap:
    """picamera2's, of memfds."""

    isValid = True

    def alloc(self, name, size):
        fd = memory(size)
        return SimpleNamespace(get=lambda: fd, isValid=lambda: True)

    def close(self) -> None:
        pass


class Stream:
    """One of a camera's outputs: the same for as long as there is the camera."""

    def __init__(self, number: int) -> None:
        self.number, self.configuration = number, None

    def __repr__(self) -> str:
        return f"<fake stream {self.number}>"


def geometry(name: str, width: int, height: int, align: int = 64) -> tuple[int, int]:
    """Stride and size, by the rules of a Raspberry Pi's ISP."""

    def up(size: int, to: int = align) -> int:
        return -(-size // to) * to

    if name in ("YUV420", "YVU420"):
        stride = up(width, 2 * align)
        return stride, stride * height * 3 // 2
    if name in ("NV12", "NV21"):
        return up(width), up(width) * height * 3 // 2
    if name == "MJPEG":
        return 0, width * height * 2
    bits = {"RGB888": 24, "BGR888": 24, "XRGB8888": 32, "XBGR8888": 32, "RGB161616": 48, "BGR161616": 48}.get(name)
    if bits is None and name in ("YUYV", "YVYU", "UYVY", "VYUY"):
        bits = 16
    if bits is None and name.endswith("_CSI2P"):
        bits = int(name[-8:-6])
    if bits is None:
        bits = 8 if name.endswith("8") or name.endswith("COMP1") else 16
    stride = up(-(-width * bits // 8))
    return stride, stride * height


class Request:
    """What is queued: a buffer for each stream."""

    def __init__(self, camera, cookie) -> None:
        import libcamera

        self.camera, self.cookie = camera, cookie
        self.buffers, self.controls, self.metadata, self.sequence = {}, {}, {}, 0
        self.status = libcamera.Request.Status.Pending

    def add_buffer(self, stream, buffer) -> None:
        self.buffers[stream] = buffer

    def set_control(self, control, value) -> None:
        self.controls[control] = value

    def reuse(self, flags=None) -> None:
        import libcamera

        assert self not in self.camera.queued, "a request is used again while it is queued"
        self.status, self.metadata = libcamera.Request.Status.Pending, {}
        self.controls.clear()


class Camera:
    """A camera on a Raspberry Pi, or one on USB. What tests may set can be set at any time."""

    def __init__(self, manager, id: str = "/base/soc/i2c0mux/i2c@1/imx-fake@1a", usb: bool = False) -> None:
        import libcamera

        self.id, self.usb, self._manager = id, usb, manager
        self._streams = [Stream(number) for number in range(3)]
        #: Frames in a second, which FrameDurationLimits change.
        self.fps = 60.0
        #: More metadata for each frame, by name: a value, or a function of the frame's number.
        self.extra: dict[str, object] = {}
        #: How many frames after a start are of no use, as picamera2 is told of them.
        self.bad_frames = 0
        #: Frames that were made, and those for which no request was queued.
        self.made = 0
        self.running = False
        self.queued: collections.deque[Request] = collections.deque()
        #: What was set, last values by name.
        self.set: dict[str, object] = {}
        self._lock = threading.Condition()
        self._thread: threading.Thread | None = None
        self._since_start = 0
        self._describe(libcamera)

    def _describe(self, lc) -> None:
        def limits(low, high, standard=None):
            return SimpleNamespace(min=low, max=high, default=standard)

        c, draft = lc.controls, lc.controls.draft
        whole = lc.Rectangle(0, 0, 2028, 1520)
        self.properties = {lc.properties.Model: "imx-fake", lc.properties.Location: 2, lc.properties.Rotation: 180}
        self.properties[lc.properties.PixelArraySize] = lc.Size(2028, 1520)
        if not self.usb:
            self.properties[lc.properties.draft.ColorFilterArrangement] = 0
        self.controls = {
            c.ExposureTime: limits(14, 66_666, 20_000),
            c.AnalogueGain: limits(1.0, 16.0),
            c.AeEnable: limits(False, True, True),
            c.ColourGains: limits(0.0, 32.0),
            c.FrameDurationLimits: limits(2_000, 120_000, 33_333),
            draft.NoiseReductionMode: limits(0, 4, 0),
            c.ScalerCrop: limits(lc.Rectangle(0, 0, 64, 64), whole, whole),
        }

    def acquire(self) -> None:
        pass

    def release(self) -> None:
        assert not self.running, "a camera is released while it runs"

    def generate_configuration(self, roles):
        return Configuration(self, roles)

    def configure(self, configuration) -> int:
        assert not self.running, "a camera is configured while it runs"
        for stream, config in zip(self._streams, configuration):
            stream.configuration = config
        return 0

    def create_request(self, cookie) -> Request:
        return Request(self, cookie)

    def queue_request(self, request) -> None:
        with self._lock:
            if not self.running:
                raise RuntimeError("Failed to queue request: the camera does not run")
            assert request not in self.queued, "a request is queued twice"
            mine = {os.fstat(b.planes[0].fd).st_ino for b in request.buffers.values()}
            for other in self.queued:
                theirs = {os.fstat(b.planes[0].fd).st_ino for b in other.buffers.values()}
                assert not mine & theirs, "a buffer is queued twice"
            for buffer in request.buffers.values():
                buffer.write(SPOILT)
            self._take_controls(request.controls)
            self.queued.append(request)

    def _take_controls(self, controls) -> None:
        self.set.update({control.name: value for control, value in controls.items()})
        limits = self.set.get("FrameDurationLimits")
        if limits:
            self.fps = 1e6 / limits[0]

    def start(self, controls=None) -> None:
        assert not self.running, "a camera is started twice"
        self._take_controls(controls or {})
        self.running, self._since_start = True, 0
        self._thread = threading.Thread(target=self._run, name="fake-camera", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        import libcamera

        with self._lock:
            self.running = False
            self._lock.notify_all()
        if self._thread is not None:
            self._thread.join()
        while self.queued:
            request = self.queued.popleft()
            request.status = libcamera.Request.Status.Cancelled
            self._manager.ready.append(request)
        self._manager.signal()

    def _run(self) -> None:
        due = time.monotonic()
        while True:
            due = max(due + 1 / self.fps, time.monotonic())
            if not self._wait_until(due):
                return
            request = self.queued[0] if self.queued else None
            self.made += 1
            if request is None:
                continue
            # The upper half, and then the lower one: a frame takes its time.
            for part in (0, 1):
                for stream, buffer in request.buffers.items():
                    half = buffer.planes[0].length // 8
                    buffer.write(self.made << 2 | self._name(stream), slice(half) if part == 0 else slice(half, None))
                if part == 0 and not self._wait_until(time.monotonic() + 0.2 / self.fps):
                    return
            self._complete(request)

    def _name(self, stream) -> int:
        """The number of the stream in _STREAMS: picamera2's second is the raw one where there is no lores."""
        role = stream.configuration.role_name
        return _STREAMS.index("raw" if role == "Raw" else _STREAMS[stream.number])

    def _wait_until(self, moment: float) -> bool:
        with self._lock:
            self._lock.wait_for(lambda: not self.running, max(0, moment - time.monotonic()))
            return self.running

    def _complete(self, request) -> None:
        import libcamera as lc

        c, status = lc.controls, lc.FrameMetadata.Status
        request.sequence = self._since_start
        good = self._since_start >= self.bad_frames
        for stream, buffer in request.buffers.items():
            buffer.metadata.status = status.Success if good else status.Error
            buffer.metadata.sequence = self._since_start
            if str(stream.configuration.pixel_format) == "MJPEG":
                # What a picture takes of its room differs from one to the next.
                buffer.metadata.planes[0].bytes_used = 4 * (1000 + self.made % 10)
        self._since_start += 1
        request.metadata = {
            c.SensorTimestamp: time.clock_gettime_ns(time.CLOCK_BOOTTIME),
            c.ExposureTime: int(self.set.get("ExposureTime", 8000)),
            c.AnalogueGain: float(self.set.get("AnalogueGain", 2.0)),
            c.DigitalGain: 1.0,
            c.ScalerCrop: lc.Rectangle(1, 2, 300, 400),
            c.ColourGains: (1.5, 2.5),
            c.Lux: 401.25,
            c.AeLocked: True,
            c.SensorTemperature: 31.0,
            c.ColourCorrectionMatrix: (1.9, -0.6, -0.3, -0.4, 1.8, -0.4, -0.1, -0.7, 1.8),
            c.SensorBlackLevels: (4096,) * 4,
            c.ColourTemperature: 4500,
            c.FocusFoM: self.made,
            c.FrameDuration: int(1e6 / self.fps),
        }
        for name, value in self.extra.items():
            request.metadata[NewerControl(name)] = value(self.made) if callable(value) else value
        with self._lock:
            if not self.running:
                return  # stop() gives it back, cancelled
            self.queued.popleft()
            request.status = lc.Request.Status.Complete
            self._manager.ready.append(request)
        self._manager.signal()


class Configuration(list):
    """A camera's configuration: of each stream."""

    def __init__(self, camera, roles) -> None:
        import libcamera

        super().__init__(StreamConfiguration(role, stream) for role, stream in zip(roles, camera._streams))
        self.orientation, self.sensor_config = libcamera.Orientation.Rotate0, None

    def at(self, index):
        return self[index]

    def validate(self):
        import libcamera

        for each in self:
            each.validate(libcamera)
        return libcamera.CameraConfiguration.Status.Valid


class StreamConfiguration:
    """What a stream is to be."""

    modes = {"SRGGB10_CSI2P": [(640, 480), (1332, 990)], "SRGGB12_CSI2P": [(1332, 990), (2028, 1520)]}

    def __init__(self, role, stream) -> None:
        import libcamera

        self.role_name, self.stream = role.name, stream
        self.size, self.pixel_format = libcamera.Size(640, 480), libcamera.PixelFormat("XBGR8888")
        self.stride = self.frame_size = 0
        self.buffer_count, self.color_space = 4, libcamera.ColorSpace.Sycc()
        self.formats = SimpleNamespace(
            pixel_formats=[libcamera.PixelFormat(name) for name in self.modes],
            sizes=lambda name: [libcamera.Size(*size) for size in self.modes[str(name)]],
        )

    def validate(self, lc) -> None:
        name, width = str(self.pixel_format), self.size.width
        if self.role_name == "Raw":
            # A sensor has the modes that it has.
            name = name if name in self.modes else "SRGGB10_CSI2P"
            size = min(self.modes[name], key=lambda size: abs(size[0] - width))
            self.size, self.pixel_format = lc.Size(*size), lc.PixelFormat(name)
        self.stride, self.frame_size = geometry(name, self.size.width, self.size.height)


class Manager:
    """libcamera's CameraManager, of which there is one in a process."""

    _one: Manager | None = None

    def __init__(self) -> None:
        self.ready: collections.deque[Request] = collections.deque()
        self.event_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.cameras = [Camera(self)]

    @staticmethod
    def singleton() -> Manager:
        if Manager._one is None:
            Manager._one = Manager()
        return Manager._one

    def signal(self) -> None:
        os.eventfd_write(self.event_fd, 1)

    def get_ready_requests(self):
        try:
            os.eventfd_read(self.event_fd)
        except BlockingIOError:
            pass
        requests = []
        while self.ready:
            requests.append(self.ready.popleft())
        return requests


def camera() -> Camera:
    """The camera, to be told what it does next."""
    return Manager.singleton().cameras[0]


def reset(**options) -> Camera:
    """A camera as new; for between tests, where no Picamera2 is open."""
    manager = Manager.singleton()
    manager.ready.clear()
    manager.cameras = [Camera(manager, **options)]
    return manager.cameras[0]


def video(picam2, size=(128, 96), **options):
    """A small configuration, with buffers to share."""
    return picam2.create_video_configuration(**{"main": {"size": size}, "buffer_count": 4, **options})


_installed = False


def install() -> None:
    """Puts the fake under picamera2. Raises ImportError where picamera2 was not fetched. Twice does nothing."""
    global _installed
    if _installed:
        return
    real_picamera2.load()
    import libcamera
    import picamera2.allocators.dmaallocator as allocators
    from picamera2.dma_heap import DMA_BUF_IOCTL_SYNC

    libcamera.FrameBuffer, libcamera.FrameBufferAllocator, libcamera.CameraManager = FrameBuffer, FrameBufferAllocator, Manager
    for name in ("ExposureTimeMode", "AnalogueGainMode"):
        if not hasattr(libcamera.controls, name):
            setattr(libcamera.controls, name, NewerControl(name))
    # A memfd's bytes need no synchronization, and it knows no such ioctl.
    allocators.DmaHeap = DmaHeap
    allocators.fcntl = SimpleNamespace(
        ioctl=lambda fd, operation, *rest: 0 if operation == DMA_BUF_IOCTL_SYNC else fcntl.ioctl(fd, operation, *rest)
    )
    _installed = True


def install_or_skip() -> None:
    """The same for a module of tests, which is skipped where that is not possible."""
    import pytest

    try:
        install()
    except ImportError as error:
        pytest.skip(f"the real picamera2 is not here: {error}", allow_module_level=True)
