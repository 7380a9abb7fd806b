"""copy_frames.py CHANNEL: copies a part of each frame into another channel, so that slow readers hold no frame of the camera."""

import sys

import frameshare

with frameshare.relay(sys.argv[1], crops={"main": (0, 0, 160, 120)}, slots=60, policy="queue:4") as copies:
    print(f"{copies.channel} takes {copies.bytes} bytes for {copies.slots} frames", flush=True)
    # Copies until the camera's channel ends. The copies have the originals' sequence, times and metadata.
    copies.wait()
    done = copies.statistics
print(f"{done.copied} frames copied, {done.no_room} left out for want of room")
