"""record_clips.py CHANNEL FILE: records a clip of each moment at which something happens, from two seconds before it on.

The clips are FILE-000.mp4, FILE-001.mp4, ... for FILE.mp4. `frameshare trigger CHANNEL` makes one, too.
"""

import sys

import numpy as np

from frameshare import Subscriber, record

channel, path = sys.argv[1:]
before = None
with record(channel, path, on_trigger=True, pre=2, post=3) as recording, Subscriber(channel) as camera:
    print(f"looking for changes in {channel}", flush=True)
    for frame in camera:
        # Put a detector here.
        now = frame["main"].array[::8, ::8].astype(np.int16)
        if before is not None and now.shape == before.shape and np.abs(now - before).mean() > 20:
            recording.trigger()
        before = now
for file in recording.files:
    print(f"{file.path}: {file.frames} frames, {file.seconds:.1f} s")
