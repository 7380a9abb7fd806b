"""ask.py CHANNEL [FRAMES]: publishes frames and asks a group of workers about each. See worker.py."""

import asyncio
import sys

import numpy as np

from frameshare import Pending, Publisher, WorkError


async def report(grey: int, pending: Pending) -> None:
    try:
        answer = await pending
        print(f"frame {answer.frame}, grey {grey}: worker {answer.worker} says {answer['scores']}", flush=True)
    except WorkError as error:
        print(f"no answer: {error}", flush=True)


async def main(channel: str, frames: int) -> None:
    with Publisher(channel, {"main": (320, 240, "R8")}, slots=12) as publisher:
        print("asking: start workers", flush=True)
        async with asyncio.TaskGroup() as reports:
            for number in range(frames):
                # A camera can't wait; this source can, until a worker has room.
                await asyncio.to_thread(publisher.wait_for_group, "detectors")
                grey = number % 256
                pending = publisher.ask("detectors", np.full((240, 320), grey, np.uint8), attempts=2)
                reports.create_task(report(grey, pending))


asyncio.run(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100))
