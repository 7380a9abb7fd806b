"""follow.py [CHANNEL [FRAMES]]: waits until a channel is there, and goes on with the next publisher when this one ends."""

import sys

from frameshare import FrameFlags, Subscriber

channel = sys.argv[1] if len(sys.argv) > 1 else "camera0"
frames = int(sys.argv[2]) if len(sys.argv) > 2 else 60

# The first connection waits a minute for its publisher.
with Subscriber(channel, wait_for_channel=60, reconnect=True) as camera:
    for count in range(frames):
        with camera.next() as frame:
            # Another publisher counts anew. What was lost between its frames and the last one's is unknown.
            if frame.flags & FrameFlags.DISCONTINUITY:
                print(f"a break before frame {frame.number}; lost: {frame.lost}", flush=True)
            elif count == 0:
                print(f"the first frame has number {frame.number}", flush=True)
    print(f"{frames} frames over {camera.statistics.connections} connections")
