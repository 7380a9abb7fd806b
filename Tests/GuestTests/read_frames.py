"""read_frames CHANNEL: every frame of a channel, and of those that follow under its name, as Python sees it:
"FOURCC NUMBER CRC32"."""

import sys
import time
import zlib

import numpy as np

import frameshare


def subscribe():
    while True:
        try:
            return frameshare.Subscriber(sys.argv[1], policy="every-frame", reconnect=True)
        except frameshare.NoSuchChannel:
            time.sleep(0.05)


for frame in subscribe():
    image, crc = frame["main"], 0
    planes = image.layout
    if len(planes) == 1:
        crc = zlib.crc32(image.buffer[: planes[0].bytes_used])
    else:
        # The rows with their padding, which the driver wrote, too.
        for array, plane in zip(image.planes, planes):
            rows = np.lib.stride_tricks.as_strided(
                array.view(np.uint8), (plane.bytes_used // plane.stride, plane.stride), (plane.stride, 1), writeable=False
            )
            crc = zlib.crc32(np.ascontiguousarray(rows), crc)
    print(f"{image.format.fourcc:08x} {frame.number} {crc:08x}", flush=True)
