"""What the tests share: a channel folder with a publisher and a server for each file of tests, and one browser."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Browser
from processes import Processes


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    # A socket's path has 107 bytes at most.
    folder = Path(tempfile.mkdtemp(prefix="fs-view-", dir="/tmp"))
    running = Processes(folder)
    yield running
    running.end()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="session")
def chromium(downloads: Path) -> Iterator[Browser]:
    browser = Browser(str(downloads))
    yield browser
    browser.close()


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    """The browser, as new; at the end its console must have nothing against the page."""
    chromium.set_size(1280, 900)
    chromium.prefer()
    chromium.complaints()
    yield chromium
    complaints = chromium.complaints()
    chromium.open("about:blank")
    assert complaints == []
