"""What a program of a user writes, for the type checkers: Scripts/test-python runs mypy over it, strictly. It is not run."""

from __future__ import annotations

import asyncio

import frameshare
from frameshare import Overlay, Publisher, Subscriber, Worker


def main() -> None:
    for channel in frameshare.channels():
        print(channel.upper(), channel.live, channel.mode, channel.state)
    with frameshare.watch_channels() as watch:
        for change in watch:
            print(change.kind, change.channel.uid)
    with Publisher("a", {"main": (64, 48, "R8")}) as publisher:
        with Overlay(publisher, "b", "g") as overlay:
            print(overlay.statistics.published, overlay.channel)
        number = publisher.publish(bytes(10), metadata={"a": 1})
        print(number + 1)
        answer = publisher.ask("g", bytes(3)).result(1.0)
        print(answer.frame)
    with frameshare.relay("a", slots=4, crops={"main": (0, 0, 8, 8)}) as copies:
        print(copies.statistics.copied, copies.streams[0].width, copies.bytes)
    with frameshare.record("a", "x.mp4", frames=3) as recording:
        for file in recording:
            print(file.path, file.frames)
        progress = recording.progress()
        if progress is not None:
            print(progress.delivered)
    print(recording.result.lost.policy, frameshare.trigger("a"))
    with Subscriber("a") as camera:
        for frame in camera:
            image = frame["main"]
            print(frame.number, image.array.shape, image.to_rgb().mean(), image.format.name, frame.metadata)
            image.save("x.png")
            print(memoryview(image).nbytes)
        last = camera.next(1)
        if last is not None:
            with last:
                print(last.lost.total)


def handle(frame: frameshare.Frame) -> dict[str, int]:
    return {"a": frame.number}


async def tasks() -> None:
    async with await frameshare.record_async("a", "x.mp4") as recording:
        async for file in recording:
            print(file.seconds)
    result = await recording
    print(result.frames)
    with frameshare.watch_channels() as watch:
        async for change in watch:
            print(change.kind)
    stage = frameshare.relay("a")
    await stage
    async with Subscriber("a") as camera:
        async for frame in camera:
            print(frame.number)


if __name__ == "__main__":
    Worker("a", "g", handle)
    asyncio.run(tasks())
