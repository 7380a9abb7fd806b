"""A camera as picamera2 has it, without one: real shared memory, requests that are counted, and no libcamera."""

import fcntl
import mmap
import os
import threading
from types import SimpleNamespace

import numpy as np

SEALS = 0x2 | 0x4  # F_SEAL_SHRINK, F_SEAL_GROW

MAIN = {"format": "XBGR8888", "size": (60, 40), "stride": 256, "framesize": 256 * 40}
LORES = {"format": "YUV420", "size": (32, 16), "stride": 64, "framesize": 64 * 24}


class Request:
    """What is used of a CompletedRequest."""

    def __init__(self, camera, index):
        self.picam2, self.index, self.count = camera, index, 1
        self.lock = threading.Lock()
        self.config, self.stream_map = camera.config.copy(), camera.stream_map.copy()
        self.configure_count, self.sequence = camera.configure_count, camera.sequence
        self.metadata = dict(camera.metadata, SensorTimestamp=1000 + camera.sequence)
        self.request = SimpleNamespace(
            buffers={stream: buffers[index] for stream, buffers in camera.allocator.all.items()}, sequence=camera.sequence
        )

    def get_metadata(self):
        return dict(self.metadata)

    def acquire(self):
        with self.lock:
            assert self.count > 0
            self.count += 1

    def release(self):
        with self.lock:
            assert self.count > 0, "released more often than acquired"
            self.count -= 1
            if self.count == 0 and self.configure_count == self.picam2.configure_count:
                self.picam2.queued.append(self.index)


class Camera:
    """What is used of a Picamera2. `fill` says what is in a frame's buffers."""

    def __init__(self, buffer_count=4, **streams):
        self.pre_callback = self.post_callback = None
        self.request_lock, self.stop_count, self.started = threading.Lock(), 0, True
        self.camera = SimpleNamespace(id="/base/stand-in")
        self.camera_properties = {"Model": "stand-in"}
        self.options = {"quality": 80}
        self.metadata = {
            "ScalerCrop": (1, 2, 3, 4), "Odd": object(), "ColourGains": (1.5, 2.5), "ExposureTime": 8000,
            "StatsOutput": tuple(i % 256 for i in range(500)),
        }
        self.camera_controls = {
            "AeEnable": (False, True, True), "ExposureTime": (14, 66_666, 20_000), "AnalogueGain": (1.0, 16.0, None),
            "ColourGains": (0.0, 32.0, None), "ScalerCrop": ((0, 0, 64, 64), (0, 0, 4056, 3040), (0, 0, 4056, 3040)),
            "AfWindows": ((0, 0, 0, 0), (65535, 65535, 65535, 65535), (0, 0, 0, 0)), "Odd": (None, None, None),
            "FrameDurationLimits": (0, 0, None),
        }
        self.controls_set = []
        self.configure_count, self.sequence, self.queued = 0, 0, []
        self.colour_space = "sYCC"
        self.configure(buffer_count, **(streams or {"main": MAIN, "lores": LORES, "raw": None}))

    def configure(self, buffer_count, split_planes=False, **streams):
        """New buffers, as picamera2 allocates them: one memory for an image; or one for each of its `split_planes`."""
        self.configure_count += 1
        self.config = {name: config for name, config in streams.items() if config is not None}
        self.config |= {"colour_space": self.colour_space, "transform": SimpleNamespace(hflip=1, vflip=0, transpose=0)}
        self.stream_map = {name: config and f"stream {name}" for name, config in streams.items()}
        self.maps, all_buffers = {}, {}
        for name, stream in self.stream_map.items():
            if stream is None:
                continue
            all_buffers[stream] = []
            for index in range(buffer_count):
                sizes = self._sizes(streams[name], split_planes)
                planes = [self._memory(name, index, part, size) for part, size in enumerate(sizes)]
                all_buffers[stream].append(SimpleNamespace(planes=planes))
        self.allocator = SimpleNamespace(all=all_buffers, buffers=lambda stream: all_buffers[stream])
        self.queued = list(range(buffer_count))

    def _sizes(self, config, split_planes):
        if not split_planes:
            return [config["framesize"]]
        luma = config["stride"] * config["size"][1]
        return [luma, config["framesize"] - luma]

    def _memory(self, name, index, part, size):
        fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(fd, size)
        fcntl.fcntl(fd, 1033, SEALS)  # F_ADD_SEALS
        self.maps[name, index, part] = mmap.mmap(fd, size)
        return SimpleNamespace(fd=fd, length=size)

    def set_controls(self, controls):
        if "AnalogueGain" in controls:
            raise RuntimeError("Control AnalogueGain is not advertised by libcamera")
        self.controls_set.append(controls)

    def camera_configuration(self):
        return self.config

    def capture(self):
        """One request, whose bytes are all its sequence number; None where the camera has no buffer."""
        if not self.queued:
            return None
        index, self.sequence = self.queued.pop(0), self.sequence + 1
        for (_, i, _), memory in self.maps.items():
            if i == index:
                np.frombuffer(memory, np.uint8)[:] = self.sequence % 256
        return Request(self, index)

    def complete(self):
        """A request that goes through the callback and back: False where the camera has no buffer."""
        request = self.capture()
        if request is None:
            return False
        self.process_requests(request)
        return True

    def process_requests(self, request):
        """What picamera2's does with its callbacks."""
        if self.pre_callback:
            self.pre_callback(request)
        if self.post_callback:
            self.post_callback(request)
        request.release()

    def _make_requests(self):
        return []

    def close(self):
        pass
