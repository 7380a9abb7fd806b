"""offer_controls.py CHANNEL [FRAMES]: offers a control, as a camera does. Its frames are as bright as the control says.

Other programs read it and set it: set_control.py, `frameshare control CHANNEL Brightness=200`.
"""

import sys
import threading
import time

import numpy as np

from frameshare import Control, Publisher, Settings

channel = sys.argv[1]
frames = int(sys.argv[2]) if len(sys.argv) > 2 else 300


class Lamp:
    """A source with one control."""

    brightness = 64

    def follow(self, settings: Settings) -> None:
        """Does what other programs ask for. What comes here is checked against the control's kind and range already."""
        for setting in settings:
            self.brightness = setting.value
            setting.accept()


lamp = Lamp()
with Publisher(channel, {"main": (64, 48, "R8")}) as publisher:
    control = Control("Brightness", "integer", minimum=0, maximum=255, standard=64, value=lamp.brightness)
    with publisher.offer_controls([control]) as settings:
        threading.Thread(target=lamp.follow, args=(settings,), daemon=True).start()
        for _ in range(frames):
            publisher.publish(np.full((48, 64), lamp.brightness, np.uint8))
            time.sleep(1 / 30)
