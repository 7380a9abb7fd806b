"""A page with a camera's picture, for any number of viewers and any number of worker processes.

    CHANNEL=camera0 gunicorn --workers 3 --threads 8 --bind 127.0.0.1:8000 mjpeg_server:app

Each worker reads the channel by itself: the camera belongs to the publisher, so none of them has to own it.
"""

import io
import os
from collections.abc import Iterator

from flask import Flask, Response

from frameshare import Subscriber

app = Flask(__name__)
channel = os.environ.get("CHANNEL", "camera0")


def parts() -> Iterator[bytes]:
    # Opened in the worker, for each viewer: never before gunicorn forks.
    with Subscriber(channel, policy="latest", name=f"viewer of {os.getpid()}") as camera:
        for frame in camera:
            jpeg = io.BytesIO()
            frame["main"].to_pil().save(jpeg, "JPEG", quality=80)
            yield b"--frame\r\nContent-Type: image/jpeg\r\n\r\n" + jpeg.getvalue() + b"\r\n"


@app.route("/stream")
def stream() -> Response:
    return Response(parts(), mimetype="multipart/x-mixed-replace; boundary=frame")


@app.route("/")
def page() -> str:
    return '<!doctype html><title>camera</title><img src="/stream" alt="the camera\'s picture">'
