"""torch_detector.py [CHANNEL [FRAMES]]: runs a model of PyTorch on each frame, without a copy on the way in.

The tensor is over the camera's memory, which is read-only. PyTorch has no word for that: do not write to the tensor.
"""

import sys
import warnings

import torch

from frameshare import Subscriber

channel = sys.argv[1] if len(sys.argv) > 1 else "camera0"
frames = int(sys.argv[2]) if len(sys.argv) > 2 else 30

# It says once that the memory is read-only.
warnings.filterwarnings("ignore", message="The given NumPy array is not writable")

# Put a model here. This one has no weights to load: it finds edges.
model = torch.nn.Conv2d(3, 1, 3, bias=False).eval()
device = "cuda" if torch.cuda.is_available() else "cpu"
model.to(device)

with Subscriber(channel, policy="latest", name="torch") as camera, torch.inference_mode():
    for _ in range(frames):
        with camera.next(timeout=30) as frame:
            pixels = torch.from_numpy(frame["main"].array)
            # The one copy: from bytes to numbers, on the model's device. The frame can go back after it.
            batch = pixels.to(device).permute(2, 0, 1)[None].float() / 255
            del pixels
            number = frame.number
        print(f"frame {number}: {float(model(batch).abs().mean()):.4f} on {device}", flush=True)
