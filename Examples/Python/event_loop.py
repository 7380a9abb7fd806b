"""event_loop.py [CHANNEL]: waits for frames and for standard input in one selector. Ends with the input."""

import selectors
import sys

from frameshare import Subscriber

channel = sys.argv[1] if len(sys.argv) > 1 else "camera0"

with Subscriber(channel) as camera, selectors.DefaultSelector() as selector:
    # Readable while there is a frame to take. It stays the same when the subscriber connects again.
    selector.register(camera, selectors.EVENT_READ)
    selector.register(sys.stdin, selectors.EVENT_READ)
    frames = 0
    while not camera.ended:
        ready = [key.fileobj for key, _ in selector.select()]
        if sys.stdin in ready:
            break
        while (frame := camera.try_next()) is not None:
            frames += 1
            if frames == 1:
                print("the first frame has number", frame.number, flush=True)
            frame.release()
print(f"{frames} frames until the input ended")
