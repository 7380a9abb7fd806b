"""From capture to pixels: how old a frame is when the page has it to draw.

The test pattern's number is read out of what the browser would draw, at each of its turns to draw; when that frame was
captured says the stream itself, to a second viewer. Both clocks are the kernel's monotonic one; how far the browser's
zero lies from it is measured, to the width that is printed. What comes after, from drawing to light, is the display's.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import tempfile
import threading
import time
from pathlib import Path

import frame_number
from browser import LIVE, Browser
from processes import Processes
from streams import PictureStream

WATCH = """
const view = document.querySelector(arguments[0]);
const canvas = new OffscreenCanvas(64, 64).getContext("2d", { willReadFrequently: true });
const edge = arguments[1];
window.seen = [];
let last = "";
function look(now) {
  canvas.drawImage(view, 0, 0, edge, edge, 0, 0, 64, 64);
  const pixels = canvas.getImageData(0, 0, 64, 64).data;
  let bits = "";
  for (let cell = 0; cell < 64; cell++) {
    bits += pixels[((cell >> 3) * 8 + 4) * 256 + ((cell & 7) * 8 + 4) * 4 + 1] > 127 ? "1" : "0";
  }
  if (bits !== last) window.seen.push([performance.now(), bits]);
  last = bits;
  requestAnimationFrame(look);
}
requestAnimationFrame(look);
"""


def clock_offset(browser: Browser) -> tuple[int, int]:
    """What to add to the page's time to have the monotonic clock's, in ns, and how far off that may be."""
    best = (0, 1 << 62)
    for _ in range(200):
        before = time.monotonic_ns()
        page = float(str(browser.run("return performance.now()")))
        after = time.monotonic_ns()
        if (width := (after - before) // 2) < best[1]:
            best = ((before + after) // 2 - int(page * 1e6), width)
    return best


def captured(address: str, times: dict[int, int], stop: threading.Event) -> None:
    stream = PictureStream(address, "/channels/camera0/main.mjpg")
    stream.begin()
    while not stop.is_set():
        fields, _ = stream.picture()
        times[int(fields["x-sequence"])] = int(fields["x-timestamp"])
    stream.close()


def measure(browser: Browser, address: str, channel: str, edge: int, seconds: float) -> list[float]:
    browser.open(address)
    browser.wait_for_number(lambda number: True, channel=channel)
    # The other pictures of the page would take part.
    browser.run(
        "const others = `section:not([id='channel-${arguments[0]}']) .pause`;"
        "for (const pause of document.querySelectorAll(others)) pause.click()",
        channel,
    )
    times: dict[int, int] = {}
    stop = threading.Event()
    reader = threading.Thread(target=captured, args=(address, times, stop))
    reader.start()
    time.sleep(2)
    browser.run(WATCH, LIVE.format(channel=channel, nth=1), edge)
    time.sleep(seconds)
    seen = browser.run("return window.seen")
    stop.set()
    reader.join()
    offset, width = clock_offset(browser)
    latencies = []
    # The first of them may have stood there for a while.
    for when, bits in list(seen)[1:]:
        code = int(bits, 2)
        number = code >> 16
        if frame_number.check(number) == code & 0xFFFF and number in times:
            latencies.append((when * 1e6 + offset - times[number]) / 1e6)
    print(f"  clocks to +-{width / 1e6:.1f} ms; {len(latencies)} pictures in {seconds:.0f} s")
    return sorted(latencies)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--size", default="1280x720", help="of the pictures (1280x720)")
    options.add_argument("--rate", type=int, default=30, help="frames a second (30)")
    options.add_argument("--seconds", type=float, default=30, help="for each way (30)")
    given = options.parse_args()
    width, height = map(int, given.size.split("x"))
    folder = Path(tempfile.mkdtemp(prefix="fs-view-", dir="/tmp"))
    processes = Processes(folder)
    with contextlib.ExitStack() as ending:
        ending.callback(shutil.rmtree, folder)
        ending.callback(processes.end)
        processes.publish("camera0", given.size, given.rate)
        _, address = processes.view()
        browser = Browser()
        ending.callback(browser.close)
        for way, channel in (("JPEG", "camera0"), ("H.264 by 'frameshare encode --low-latency'", "camera0-h264")):
            if channel != "camera0":
                processes.start("encode", "camera0", "--low-latency").wait_for("Ctrl-C ends it")
            print(f"{way}, {given.size} at {given.rate}/s:")
            found = measure(browser, address, channel, frame_number.side(width, height), given.seconds)
            assert found, "no picture was read"
            p50, p99 = found[len(found) // 2], found[min(len(found) - 1, len(found) * 99 // 100)]
            print(f"  capture to pixels: p50 {p50:.1f} ms, p99 {p99:.1f} ms, least {found[0]:.1f} ms")


if __name__ == "__main__":
    main()
