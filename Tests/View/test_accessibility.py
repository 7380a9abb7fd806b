"""The page by keyboard, by screen reader, in both themes, and on a phone."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest
from browser import Browser
from processes import Processes, until
from selenium.webdriver.common.keys import Keys

AXE = files("axe_playwright_python").joinpath("axe.min.js")


@pytest.fixture(scope="module")
def address(processes: Processes) -> str:
    processes.publish("camera0", "640x360", 20, "--stream", "lores=320x180")
    return processes.view()[1]


@pytest.fixture
def page(address: str, browser: Browser) -> Browser:
    browser.open(address)
    browser.wait_for_number(lambda number: True, nth=2)
    until("somebody reads", lambda: browser.text("#channel-camera0 tbody th"))
    browser.run("localStorage.clear(); scrollTo(0, 0)")
    return browser


def names(page: Browser, role: str) -> list[str]:
    """What a screen reader is told of the things with a role."""
    nodes = page.send("Accessibility.getFullAXTree")["nodes"]
    return [
        node.get("name", {}).get("value", "")
        for node in nodes
        if not node["ignored"] and node["role"]["value"] == role
    ]


def test_everything_has_a_role_and_a_name(page: Browser) -> None:
    images = names(page, "image")
    assert "Live picture of camera0, stream main" in images
    assert "Live picture of camera0, stream lores" in images
    assert any(name.startswith("Slots: ") for name in images)
    buttons = names(page, "button")
    assert "" not in buttons
    for stream in ("main", "lores"):
        for name in (f"Pause camera0 {stream}", f"Snapshot of camera0 {stream}", f"Full screen: camera0 {stream}"):
            assert name in buttons
    assert "camera0: live" in names(page, "link")
    assert names(page, "table") == ["Subscribers"]
    assert names(page, "columnheader") == ["Name", "Delivered", "Dropped", "Queued", "Held", "Latency"]
    assert "camera0" in names(page, "region")
    assert names(page, "navigation") == ["Channels"]
    assert names(page, "heading") == ["FrameShare", "camera0", "main", "lores"]


def test_all_figures_of_a_channel_are_listed_with_what_they_mean(page: Browser) -> None:
    page.run("document.querySelector('.all').open = true")
    until("figures", lambda: page.run("return document.querySelector('.all [data-figure=published]')?.textContent > ''"))
    rows = page.run("return [...document.querySelectorAll('.all div')].map((row) => row.textContent)")
    assert isinstance(rows, list) and any(row.startswith("Frames published.") for row in rows), rows
    assert [row for row in rows if row.endswith("undefined") or row.endswith("NaN")] == []


def test_the_keyboard_reaches_everything_in_order_and_shows_where_it_is(page: Browser) -> None:
    reached = []
    for _ in range(40):
        page.press(Keys.TAB)
        place = page.run(
            """
            const element = document.activeElement;
            if (element === document.body) return null;
            const style = getComputedStyle(element);
            return [element.getAttribute("aria-label") ?? element.textContent, style.outlineStyle, style.outlineWidth];
            """
        )
        if not isinstance(place, list):
            break
        label, style, width = place
        assert (style, width) == ("solid", "3px"), f"{label} does not show that it has the focus"
        reached.append(label)
    assert reached == [
        "Skip to the pictures", "camera0: live", "Statistics", "Colours: system",
        "Pause camera0 main", "Snapshot of camera0 main", "Full screen: camera0 main",
        "Pause camera0 lores", "Snapshot of camera0 lores", "Full screen: camera0 lores",
        "Subscribers of camera0", "All figures",
    ]  # fmt: skip


def test_buttons_work_by_keyboard(page: Browser) -> None:
    page.run("document.querySelector('#channel-camera0 .pause').focus()")
    page.press(Keys.SPACE)
    page.wait_for_text("#channel-camera0 .veil", "Paused")
    assert page.run("return document.activeElement.getAttribute('aria-pressed')") == "true"
    page.press(Keys.ENTER)
    page.wait_for_number(lambda number: True)
    page.run("document.querySelector('#show-statistics').focus()")
    page.press(Keys.SPACE)
    assert page.run("return document.querySelector('.statistics').checkVisibility()") is False


def test_the_colours_are_the_systems_unless_chosen(page: Browser) -> None:
    def paper() -> object:
        return page.run("return getComputedStyle(document.body).backgroundColor")

    page.prefer(prefers_color_scheme="light")
    light = paper()
    page.prefer(prefers_color_scheme="dark")
    dark = paper()
    assert light != dark
    page.run("document.getElementById('theme').click()")
    assert paper() == light, "light was chosen, whatever the system has"
    page.driver.refresh()
    assert page.run("return document.documentElement.dataset.theme") == "light"
    assert paper() == light
    page.run("localStorage.clear()")


def test_only_changes_of_state_are_read_out(page: Browser) -> None:
    page.run(
        """
        window.spoken = [];
        const live = document.querySelectorAll("[aria-live], [role=status], [role=alert], [role=log]");
        window.regions = live.length;
        for (const region of live) {
            new MutationObserver(() => window.spoken.push(region.textContent))
                .observe(region, { childList: true, characterData: true, subtree: true });
        }
        """
    )
    before = page.text("[data-value=published]")
    until("the numbers have changed", lambda: page.text("[data-value=published]") != before)
    assert page.run("return window.regions") == 1
    assert page.run("return window.spoken") == []


def test_motion_is_reduced_on_request(page: Browser) -> None:
    page.prefer(prefers_reduced_motion="reduce")
    transitions = page.run(
        "return [...document.querySelectorAll('*')].filter((e) => parseFloat(getComputedStyle(e).transitionDuration))"
        ".map((e) => e.className)"
    )
    assert transitions == []


@pytest.mark.parametrize("width", [320, 390, 768])
def test_nothing_overflows_on_small_screens(page: Browser, width: int) -> None:
    page.set_size(width, 800)
    assert page.run("return document.documentElement.scrollWidth") <= width
    small = page.run(
        """
        return [...document.querySelectorAll("button, .bar a")].filter((element) => element.checkVisibility())
            .map((element) => [element.textContent, element.getBoundingClientRect()])
            .filter(([, box]) => box.height < 36 || box.width < 36 || box.right > innerWidth).map(([text]) => text);
        """
    )
    assert small == [], "too small for a finger, or beyond the edge"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing(page: Browser, scheme: str, width: int) -> None:
    page.set_size(width, 900)
    # Without transitions, whose colours are in between.
    page.prefer(prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
    page.run(AXE.read_text())
    found = page.driver.execute_async_script(
        "const done = arguments[arguments.length - 1];"
        "axe.run({ resultTypes: ['violations'] }).then((result) => done(result.violations))"
    )
    told = [(one["id"], [node["target"] for node in one["nodes"]]) for one in found]
    assert told == [], json.dumps(told, indent=2)
