"""list_channels.py: lists the channels of this machine, with the source and the frames of each."""

from frameshare import FrameShareError, Monitor, channels

for name in channels():
    try:
        with Monitor(name) as monitor:
            statistics = monitor.statistics()
        print(f"{name}: {statistics.source_name}, {statistics.published} frames" if statistics else f"{name}: has ended")
    except FrameShareError as error:
        # Such as a channel of another user's, or a socket that a killed publisher has left.
        print(f"{name}: {error}")
