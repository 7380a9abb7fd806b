"""watch_channels.py: tells which channels of this machine appear and vanish, and which a killed publisher has left behind."""

import frameshare

# The channels that are there come first. The folder need not be there yet, and waiting costs nothing.
with frameshare.watch_channels() as watch:
    for change in watch:
        print(f"{change.channel} has {change.kind}: {change.channel.state}", flush=True)
