"""watch_statistics.py [CHANNEL [TIMES]]: how a channel is doing: its frames, its subscribers, and what each has lost."""

import sys
import time

from frameshare import Monitor

channel = sys.argv[1] if len(sys.argv) > 1 else "camera0"
times = int(sys.argv[2]) if len(sys.argv) > 2 else 3

# A monitor takes no frame. It asks the publisher, which keeps all counts.
with Monitor(channel) as monitor:
    for _ in range(times):
        now = monitor.statistics()
        if now is None:
            break
        print(f"{now.published} published, {now.slots_free} of {now.slots} slots free")
        for reader in now.subscribers:
            print(f"  {reader.name}: {reader.delivered} delivered, {reader.dropped_by_policy} passed over, {reader.held} held", flush=True)
        time.sleep(1)
