"""The pictures of the README, of a page that runs: Documentation/view-*.png. Only on request, so that the tree stays
clean: Tests/View/python take_screenshots.py"""

from __future__ import annotations

import base64
import contextlib
import io
import shutil
import tempfile
import time
from pathlib import Path

from browser import Browser
from PIL import Image
from processes import Processes

FOLDER = Path(__file__).parents[2] / "Documentation"
SHOTS = (("light", 1360, 850, "light"), ("dark", 1360, 850, "dark"), ("phone", 390, 850, "dark"))


def main() -> None:
    channels = Path(tempfile.mkdtemp(prefix="fs-view-", dir="/tmp"))
    processes = Processes(channels)
    with contextlib.ExitStack() as ending:
        ending.callback(shutil.rmtree, channels)
        ending.callback(processes.end)
        processes.publish("camera0", "1280x720", 30, "--stream", "lores=640x360")
        processes.start("watch", "camera0")
        processes.start("record", "camera0", "-o", str(channels / "clip.mp4"), "--on-trigger")
        _, address = processes.view()
        browser = Browser()
        ending.callback(browser.close)
        browser.open(address)
        browser.wait_for_number(lambda number: True)
        browser.send("Emulation.setScrollbarsHidden", hidden=True)
        time.sleep(6)
        FOLDER.mkdir(exist_ok=True)
        for name, width, height, scheme in SHOTS:
            browser.set_size(width, height)
            browser.prefer(prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
            browser.run("scrollTo(0, 0)")
            time.sleep(2)
            shot = base64.b64decode(browser.send("Page.captureScreenshot", format="png")["data"])
            picture = Image.open(io.BytesIO(shot)).convert("RGB").quantize(200, dither=Image.Dither.NONE)
            file = FOLDER / f"view-{name}.png"
            picture.save(file, optimize=True)
            print(f"{file.relative_to(FOLDER.parent)}: {width}x{height}, {file.stat().st_size // 1024} kB")


if __name__ == "__main__":
    main()
