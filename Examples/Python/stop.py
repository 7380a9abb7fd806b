"""Counts frames until Ctrl-C, SIGTERM, or the channel's end, and closes in order.

    python3 stop.py [CHANNEL]
"""

import signal
import sys

from frameshare import FrameShareError, Subscriber


def main(channel: str) -> int:
    # As Ctrl-C: what a service manager sends.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    frames, end = 0, "the channel has ended"
    try:
        with Subscriber(channel) as camera:
            for frame in camera:
                frames += 1
                if frames == 1:
                    print("the first frame has number", frame.number, flush=True)
    except KeyboardInterrupt:
        end = "stopped"
    except FrameShareError as error:
        # The text says what failed and what to do about it.
        print(f"stop.py: {error}", file=sys.stderr)
        return 1
    print(f"{end} after {frames} frames")
    return 0


sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "camera0"))
