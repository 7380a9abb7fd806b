"""after_moment.py [CHANNEL]: takes the first frame captured after a moment, such as when a robot has stopped."""

import sys
import time

from frameshare import Subscriber

channel = sys.argv[1] if len(sys.argv) > 1 else "camera0"

with Subscriber(channel) as camera:
    for _ in range(5):
        # On the clock of the source: monotonic, unless frame.clock says otherwise.
        stopped = time.monotonic_ns()
        # A frame that was captured before the moment is passed over, also when it comes later.
        with camera.next(timeout=10, after=stopped) as frame:
            late = (frame.timestamp - stopped) // 1000
            print(f"frame {frame.number} was captured {late} us after the moment", flush=True)
