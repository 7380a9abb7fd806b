"""remote_program.py MODULE FOLDER: a program as picamera2's own examples of remote are, with one import line to change.

Prints what its workers made of each frame, a line each.
"""

import importlib
import json
import os
import sys

import numpy as np
import picamera2

remote = importlib.import_module(sys.argv[1])
Pool, RemoteMappedArray = remote.Pool, remote.RemoteMappedArray


def init():
    global counter
    counter = 0


def work(request):
    global counter
    counter += 1
    metadata = request.get_metadata()
    number = metadata.pop("FocusFoM")
    del metadata["SensorTimestamp"]
    with RemoteMappedArray(request, "main") as m:
        seen = int(np.sum(m.array, dtype=np.int64))
        # As remote_save_image.py of picamera2's examples does it.
        m.array[:] = 255 - m.array
        written = int(np.sum(m.array, dtype=np.int64))
    path = os.path.join(sys.argv[2], f"{os.getpid()}_{counter}.png")
    request.save(path)
    lores = request.make_array("lores")
    config = {name: [str(value) for value in sorted(map(str, request.config[name].items()))] for name in ("main", "lores")}
    return {
        "number": number, "seen": seen, "written": written, "lores": [lores.shape, int(lores[0, 0])],
        "metadata": repr(sorted(metadata.items())), "config": config, "transform": str(request.get_config()["transform"]),
        "buffer": int(np.sum(request.make_buffer("main"), dtype=np.int64)), "saved": os.path.getsize(path) > 0,
    }


if __name__ == "__main__":
    picam2 = picamera2.Picamera2()
    config = picam2.create_preview_configuration({"size": (128, 96)}, lores={"size": (64, 48)}, buffer_count=6)
    futures = []
    with Pool(work, 2, picam2, init) as pool:
        picam2.start(config)
        for _ in range(12):
            with picam2.captured_request() as request:
                futures.append(pool.send(request))
    for future in futures:
        print(json.dumps(future.result()))
    picam2.stop()
