"""imx500.py [CHANNEL]: detections of an AI camera (IMX500), in a program beside the one that owns the camera.

The camera's program shares it, with the network that it has loaded:

    imx500 = IMX500("imx500_network_ssd_mobilenetv2_fpnlite_320x320_pp.rpk")
    picam2 = Picamera2(imx500.camera_num)
    picam2.configure(picam2.create_preview_configuration(buffer_count=8))
    sharing = frameshare.picamera2.publish(picam2, "camera0")
    picam2.start()

The tensors are in each frame's metadata, where picamera2 has them. This program turns those of an SSD network into boxes,
and answers for each frame that it is asked about: `publisher.results("detectors")` has them.
"""

import ctypes
import sys

import numpy as np

from frameshare import Frame, Worker

THRESHOLD = 0.5


class TensorInfo(ctypes.LittleEndianStructure):
    _fields_ = [("count", ctypes.c_uint32), ("dimensions", ctypes.c_uint32), ("size", ctypes.c_uint16 * 16)]


class OutputInfo(ctypes.LittleEndianStructure):
    """What libcamera says of the output's tensors (CnnOutputTensorInfo)."""

    _fields_ = [
        ("network", ctypes.c_char * 64), ("count", ctypes.c_uint32), ("tensors", TensorInfo * 16), ("frames", ctypes.c_uint8)
    ]


def tensors(metadata: dict) -> list[np.ndarray]:
    """The network's outputs, in their shapes; none in a frame that it has not seen."""
    if "CnnOutputTensor" not in metadata:
        return []
    values = np.array(metadata["CnnOutputTensor"], np.float32)
    info = OutputInfo.from_buffer_copy(metadata["CnnOutputTensorInfo"])
    result, first = [], 0
    for tensor in info.tensors[: info.count]:
        shape = tensor.size[: tensor.dimensions]
        result.append(values[first : first + tensor.count].reshape(shape))
        first += tensor.count
    return result


def handle(frame: Frame) -> dict[str, list[float]]:
    found = tensors(frame.metadata)
    if len(found) < 3:
        return {"boxes": [], "scores": [], "classes": []}
    boxes, scores, classes = found[0].reshape(-1, 4), found[1].ravel(), found[2].ravel()
    good = scores >= THRESHOLD
    return {"boxes": boxes[good].ravel().tolist(), "scores": scores[good].tolist(), "classes": classes[good].tolist()}


Worker(sys.argv[1] if len(sys.argv) > 1 else None, "detectors", handle).run()
