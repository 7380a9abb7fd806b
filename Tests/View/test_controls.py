"""The camera's controls on the page, of a publisher that has some."""

from __future__ import annotations

import pytest
from browser import Browser
from processes import Processes, until
from selenium.webdriver.common.keys import Keys
from streams import get_json

FIELD = "#channel-knobs .controls label:nth-of-type({nth}) :is(input, select, button)"


@pytest.fixture(scope="module")
def address(processes: Processes) -> str:
    processes.publish_with_controls("knobs")
    return processes.view()[1]


@pytest.fixture
def page(address: str, browser: Browser) -> Browser:
    browser.open(address)
    until("the controls are offered", lambda: browser.text("#channel-knobs .controls summary"))
    browser.run("document.querySelector('#channel-knobs .controls summary').click()")
    until("the controls are listed", lambda: browser.text("#channel-knobs .controls label:nth-of-type(6)"))
    return browser


def value(address: str, name: str) -> str:
    controls = get_json(f"{address}/api/channels/knobs/controls")["controls"]
    return next(control["value"] for control in controls if control["name"] == name)


def test_controls_are_shown_as_they_are(page: Browser) -> None:
    labels = page.run("return [...document.querySelectorAll('.controls label > span')].map((one) => one.textContent)")
    assert labels == ["Brightness", "Automatic exposure", "Exposure time", "Pattern", "Focus once", "Times focused"]
    fields = page.run(
        """
        return [...document.querySelectorAll(".controls :is(input, select, button)")]
            .map((field) => [field.type, field.disabled, field.type === "checkbox" ? field.checked : field.value]);
        """
    )
    assert fields == [
        ["range", False, "128"], ["checkbox", False, True], ["number", True, "8000"], ["select-one", False, "1"],
        ["button", False, ""], ["number", True, "0"],
    ]  # fmt: skip


def test_a_control_is_set_by_keyboard_and_the_page_tells_what_became_of_it(page: Browser, address: str) -> None:
    page.run("document.querySelector(arguments[0]).focus()", FIELD.format(nth=1))
    page.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    until("the camera has it", lambda: value(address, "brightness") == "130")
    page.wait_for_text("#notice", "brightness: 130")
    page.run("document.querySelector(arguments[0]).focus()", FIELD.format(nth=5))
    page.press(Keys.ENTER)
    until("the button has done it", lambda: value(address, "focused") == "1")


def test_what_one_control_changes_in_others_is_shown(page: Browser, address: str) -> None:
    page.run("document.querySelector(arguments[0]).click()", FIELD.format(nth=2))
    until("it is set", lambda: value(address, "auto") == "false")
    disabled = "return document.querySelector(arguments[0]).disabled"
    until("the time can be set", lambda: page.run(disabled, FIELD.format(nth=3)) is False)
    page.run("document.querySelector(arguments[0]).select()", FIELD.format(nth=3))
    page.press("1", "2", "0", "0", Keys.ENTER)
    until("the camera has it", lambda: value(address, "time") == "1200")


def test_what_the_camera_refuses_is_said(page: Browser) -> None:
    # A page that is older than the camera's range.
    page.run(
        """
        const field = document.querySelector(arguments[0]);
        field.max = "300";
        field.value = "290";
        field.dispatchEvent(new Event("change", { bubbles: true }));
        """,
        FIELD.format(nth=1),
    )
    page.wait_for_text("#notice", "brightness was not set: ")


def test_a_reader_that_holds_its_whole_budget_is_marked(page: Browser, processes: Processes) -> None:
    holder = processes.hold("knobs", "holder")
    held = """
        const rows = [...document.querySelectorAll(".readers tbody tr")];
        return rows.find((row) => row.firstElementChild.textContent.startsWith("holder"))?.children[4].textContent ?? "";
    """
    until("the reader is marked", lambda: page.run(held) == "2 of 2 FULL")
    holder.end()
    until("the reader is gone", lambda: page.run(held) == "")
