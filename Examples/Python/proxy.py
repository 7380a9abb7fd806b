"""proxy.py [FRAMES]: a process of its own sees each frame of a picamera2 camera, in the memory that the camera wrote.

The camera's program hands requests over and goes on; the other process asks for one after the other. None is missed: those that
are sent while the process starts wait for it.
"""

import sys

from picamera2 import Picamera2

from frameshare.remote import Picamera2Proxy


class Brightness(Picamera2Proxy):
    def run(self) -> None:
        count = 0
        while (array := self.capture_array()) is not None:
            count += 1
            print(f"frame {count}: {array.shape[1]}x{array.shape[0]}, mean {array.mean():.1f}", flush=True)


if __name__ == "__main__":
    picam2 = Picamera2()
    picam2.configure(picam2.create_video_configuration({"size": (640, 480), "format": "BGR888"}, buffer_count=6))
    proxy = Brightness(picam2)
    proxy.start()
    picam2.start()
    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 100):
        proxy.send(picam2.capture_request())
    proxy.close()
    picam2.stop()
    print("the camera's program has sent all")
