"""What publishing, and taking and releasing, cost in Python: as Sources/call-bench, by the package."""

import os
import sys
import time

import frameshare

BATCH = 16


def main():
    batches = int(sys.argv[1])
    folder = f"/tmp/call-bench-{os.getpid()}"
    publisher = frameshare.Publisher("calls", {"main": (64, 64, "YUV420")}, slots=40, directory=folder)
    subscriber = frameshare.Subscriber("calls", policy=f"queue:{BATCH}", directory=folder)
    publishing = taking = total = 0
    for number in range(batches + batches // 10):
        began = time.monotonic_ns()
        for _ in range(BATCH):
            slot = publisher.slot()
            slot["main"].array[0, 0] = 1
            slot.publish()
        published = time.monotonic_ns()
        for _ in range(BATCH):
            frame = subscriber.next()
            total += int(frame["main"].array[0, 0])
            frame.release()
        if number < batches // 10:
            continue  # until all is warm
        publishing += published - began
        taking += time.monotonic_ns() - published
    frames = batches * BATCH
    print(f'{{"publish_ns": {publishing / frames}, "take_ns": {taking / frames}, "sum": {total}}}')
    subscriber.close()
    publisher.close()
    os.rmdir(folder)


main()
