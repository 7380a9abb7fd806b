"""asyncio_reader.py CHANNEL: reads a channel in an event loop, beside other work."""

import asyncio
import sys

from frameshare import Subscriber


async def tick() -> None:
    while True:
        await asyncio.sleep(0.2)
        print("the loop goes on", flush=True)


async def main(channel: str) -> None:
    ticking = asyncio.create_task(tick())
    count = 0
    async with Subscriber(channel, policy="queue:4") as camera:
        async for frame in camera:
            count += 1
            print(f"frame {frame.number}, exposed {frame.get('ExposureTime')} us", flush=True)
    ticking.cancel()
    print(f"{count} frames", flush=True)


asyncio.run(main(sys.argv[1]))
