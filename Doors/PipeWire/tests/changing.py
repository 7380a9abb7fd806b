#!/usr/bin/python3
"""changing.py CHANNEL SIZE...: publishes a channel by GStreamer, and goes over to the next size with each line that it reads."""

import sys

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

Gst.init(None)
pipeline = Gst.parse_launch(
    "videotestsrc is-live=true ! videorate ! capsfilter name=size ! framesharesink channel=" + sys.argv[1]
)
size = pipeline.get_by_name("size")
for wanted in sys.argv[2:]:
    width, height = wanted.split("x")
    caps = f"video/x-raw,format=NV12,width={width},height={height},framerate=30/1"
    size.set_property("caps", Gst.Caps.from_string(caps))
    pipeline.set_state(Gst.State.PLAYING)
    sys.stdin.readline()
pipeline.set_state(Gst.State.NULL)
