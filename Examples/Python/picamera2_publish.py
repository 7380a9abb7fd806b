"""picamera2_publish.py [CHANNEL [SECONDS]]: shares a Raspberry Pi's camera in its own buffers, and goes on using it.

Each request is shared with all its streams and metadata: `frameshare watch CHANNEL`.
"""

import sys
import time

from picamera2 import Picamera2

import frameshare.picamera2

channel = sys.argv[1] if len(sys.argv) > 1 else "camera0"
seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 60.0

picam2 = Picamera2()
# Two buffers are always the camera's. The other six are what subscribers can hold together.
picam2.configure(picam2.create_video_configuration({"size": (640, 480)}, lores={"size": (320, 240)}, buffer_count=8))
with frameshare.picamera2.publish(picam2, channel):
    picam2.start()
    print(f"sharing {channel}", flush=True)
    # This program may capture as before: sharing does not take the camera from it.
    print("exposure", picam2.capture_metadata().get("ExposureTime"), flush=True)
    time.sleep(seconds)
    picam2.stop()
picam2.close()
