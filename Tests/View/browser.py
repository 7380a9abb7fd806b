"""A headless Chromium, and what it shows."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Callable

import frame_number
from PIL import Image
from processes import until
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains

LIVE = 'section[id="channel-{channel}"] .picture:nth-of-type({nth}) .screen > :is(img, video)'


class Browser:
    def __init__(self, downloads: str | None = None) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for option in ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--force-color-profile=srgb"):
            options.add_argument(option)
        # Chromium's own sandbox does not work for root, as in a container; these are our own pages.
        if os.geteuid() == 0:
            options.add_argument("--no-sandbox")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        self.set_size(1280, 900)
        if downloads:
            self.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=downloads)

    def send(self, method: str, **parameters: object) -> dict:
        """A command of the DevTools protocol."""
        return self.driver.execute_cdp_cmd(method, parameters)

    def run(self, script: str, *arguments: object) -> object:
        return self.driver.execute_script(script, *arguments)

    def open(self, address: str) -> None:
        self.driver.get(address)

    def close(self) -> None:
        self.driver.quit()

    def set_size(self, width: int, height: int) -> None:
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def prefer(self, **features: str) -> None:
        """Media features, as prefers_color_scheme='dark'."""
        listed = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.send("Emulation.setEmulatedMedia", features=listed)

    def press(self, *keys: str) -> None:
        ActionChains(self.driver, duration=0).send_keys(*keys).perform()

    def text(self, selector: str) -> str:
        return str(self.run("return document.querySelector(arguments[0])?.textContent.trim() ?? ''", selector))

    def wait_for_text(self, selector: str, wanted: str) -> None:
        until(f"{selector} says {wanted!r}, not {self.text(selector)!r}", lambda: wanted in self.text(selector))

    def number(self, channel: str = "camera0", nth: int = 1) -> int | None:
        """The frame number that stands in a stream's picture, read out of a screenshot of the page."""
        place = self.run(
            """
            const view = document.querySelector(arguments[0]);
            if (!view) return null;
            view.scrollIntoView({ block: "center", behavior: "instant" });
            const [width, height] = [view.naturalWidth || view.videoWidth, view.naturalHeight || view.videoHeight];
            const box = view.getBoundingClientRect();
            if (!width || !box.width) return null;
            const scale = Math.min(box.width / width, box.height / height);
            return { width, height, scale, x: box.x + scrollX + (box.width - width * scale) / 2,
                y: box.y + scrollY + (box.height - height * scale) / 2 };
            """,
            LIVE.format(channel=channel, nth=nth),
        )
        if not isinstance(place, dict):
            return None
        edge = frame_number.side(place["width"], place["height"]) * place["scale"]
        clip = {"x": place["x"], "y": place["y"], "width": edge, "height": edge, "scale": 1}
        shot = self.send("Page.captureScreenshot", format="png", clip=clip)
        return frame_number.read_square(Image.open(io.BytesIO(base64.b64decode(shot["data"]))))

    def wait_for_number(self, condition: Callable[[int], bool], channel: str = "camera0", nth: int = 1) -> int:
        def look() -> list[int]:
            number = self.number(channel, nth)
            return [number] if number is not None and condition(number) else []

        found = until(f"a number in the picture of {channel}", look)
        assert isinstance(found, list)
        return found[0]

    def complaints(self) -> list[str]:
        """What the console has against the page; not that a server was away, which tests bring about."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["source"] != "network"]
