"""set_control.py [CHANNEL]: sets a control of a channel's source, and says what became of it. See offer_controls.py."""

import sys

from frameshare import Monitor, Refused

channel = sys.argv[1] if len(sys.argv) > 1 else "camera0"

with Monitor(channel) as monitor:
    for name, control in monitor.controls().items():
        print(f"{name}: {control.minimum} to {control.maximum}, now {control.value}")
    try:
        print("Brightness is", monitor.set_control("Brightness", 200), "now")
    except Refused as error:
        # The source's own reason.
        print("Brightness was not set:", error)
