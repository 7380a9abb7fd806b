"""record.py CHANNEL FILE [SECONDS]: records a channel, in a process of its own. Needs the command `frameshare`."""

import sys

import frameshare

seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 10.0

# This program can go on meanwhile. A recording that fails raises an exception with the command's own words.
with frameshare.record(sys.argv[1], sys.argv[2], seconds=seconds) as recording:
    recording.wait()
print(f"{recording.result.frames} frames recorded, {recording.result.lost.total} lost")
