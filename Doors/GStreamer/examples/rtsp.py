#!/usr/bin/env python3
"""Serves a channel as rtsp://HOST:PORT/camera, H.264. One encoder for all viewers; none runs while nobody looks.

    python3 rtsp.py camera0
    ffplay rtsp://localhost:8554/camera

Needs gir1.2-gst-rtsp-server-1.0, gstreamer1.0-plugins-ugly (x264enc) and the element framesharesrc.
"""

import argparse
import signal
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

arguments = argparse.ArgumentParser(description="Serve a FrameShare channel by RTSP.")
arguments.add_argument("channel")
arguments.add_argument("--address", default="127.0.0.1", help="where to listen; 0.0.0.0: on all networks")
arguments.add_argument("--port", type=int, default=8554, help="0: any free one, which is printed")
options = arguments.parse_args()

Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address(options.address)
server.set_service(str(options.port))

factory = GstRtspServer.RTSPMediaFactory()
# An encoder that is late loses frames of its own: the camera and other readers go on.
factory.set_launch(
    f'( framesharesrc channel="{options.channel}" reconnect=true ! videoconvert ! video/x-raw,format=I420 '
    "! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=60 ! rtph264pay name=pay0 pt=96 )"
)
factory.set_shared(True)
server.get_mount_points().add_factory("/camera", factory)
if server.attach(None) == 0:
    sys.exit(f"rtsp.py: can't listen at {options.address}:{options.port}")

loop = GLib.MainLoop()
for number in (signal.SIGINT, signal.SIGTERM):
    GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, number, loop.quit)
print(f"rtsp://{options.address}:{server.get_bound_port()}/camera", flush=True)
loop.run()
