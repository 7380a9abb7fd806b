"""worker.py [CHANNEL]: an AI worker in twenty lines. Start as many as there are cores: each frame goes to one of them.

    frameshare workers camera0 --count 4 -- python3 worker.py
"""

import sys

import numpy as np

from frameshare import Frame, Worker


def detect(image: np.ndarray) -> list[float]:
    """Put a model here. It sees the camera's own memory, and can't write to it."""
    return [float(image.mean()), float(image.std())]


def handle(frame: Frame) -> dict[str, list[float]]:
    return {"scores": detect(frame["main"].array)}


Worker(sys.argv[1] if len(sys.argv) > 1 else None, "detectors", handle).run()
