"""A source's controls, offered and set from Python."""

import asyncio
import gc
import subprocess
import sys
import threading

import pytest

import frameshare
from conftest import until
from frameshare import Control, Rectangle, Size

SIZE = {"main": (64, 48, "R8")}


def offered():
    return [
        Control("exposure", "integer", minimum=0, maximum=100, standard=10, value=10, label="Exposure, absolute"),
        Control("pattern", "menu", items={"0": "bars", "3": "grey"}, inactive=True),
        Control("serial", "text", value="é1", read_only=True),
    ]


def test_another_program_lists_and_sets_them_while_the_cameras_loop_takes_what_is_asked_for():
    with frameshare.Publisher("cam", SIZE) as publisher, publisher.offer_controls(offered()) as settings:
        program = """
import frameshare
with frameshare.Monitor("cam") as monitor:
    controls = monitor.controls()
    assert list(controls) == ["exposure", "pattern", "serial"], controls
    exposure, pattern, serial = controls.values()
    assert (exposure.kind, exposure.minimum, exposure.maximum, exposure.standard, exposure.value) == ("integer", "0", "100", "10", "10")
    assert exposure.label == "Exposure, absolute" and pattern.items == {"0": "bars", "3": "grey"} and pattern.value is None
    assert pattern.inactive and serial.read_only and serial.value == "é1"
    assert monitor.set_control("exposure", 77) == "76"
    assert monitor.controls()["exposure"].value == "76"
    try:
        monitor.set_control("pattern", 3)
        raise SystemExit("it was not refused")
    except frameshare.Refused as error:
        assert "the lens cap is on" in str(error)
"""
        with subprocess.Popen([sys.executable, "-c", program]) as other:
            setting = settings.next()
            assert (setting.name, setting.text, setting.value) == ("exposure", "77", 77)
            setting.accept(setting.value // 2 * 2)
            with pytest.raises(frameshare.Released):
                setting.accept()
            settings.next().refuse("the lens cap is on")
        assert other.returncode == 0


def asked(monitor, name, value):
    """Asks in a thread; what came of it."""
    outcome = []

    def ask():
        try:
            outcome.append(monitor.set_control(name, value))
        except frameshare.FrameShareError as error:
            outcome.append(str(error))

    thread = threading.Thread(target=ask)
    thread.start()
    return thread, outcome


def test_a_setting_of_which_nothing_is_said_is_refused():
    with frameshare.Publisher("cam", SIZE) as publisher, frameshare.Monitor("cam") as monitor:
        with publisher.offer_controls(offered()) as settings:
            thread, outcome = asked(monitor, "exposure", 1)
            assert settings.next().name == "exposure"  # and gone
            thread.join()
            assert "did not say" in outcome[0]
            with pytest.raises(frameshare.TimedOut):
                settings.next(0)
            # It waits while the offer ends.
            thread, outcome = asked(monitor, "exposure", 1)
            settings.fileno()
            settings.close()
            thread.join()
            assert "not there" in outcome[0] or "no controls" in outcome[0]
        with pytest.raises(frameshare.Refused, match="no controls"):
            monitor.controls()


def test_a_value_that_the_control_can_not_have_never_reaches_the_loop():
    with frameshare.Publisher("cam", SIZE) as publisher, frameshare.Monitor("cam") as monitor:
        with publisher.offer_controls(offered()) as settings:
            refused = [asked(monitor, "exposure", value) for value in ("soon", 101)]
            good, outcome = asked(monitor, "exposure", 100)
            setting = settings.next()
            assert setting.value == 100
            setting.accept()
            for thread in [thread for thread, _ in refused] + [good]:
                while thread.is_alive():
                    with pytest.raises(frameshare.TimedOut):
                        settings.next(0.01)
            assert "no value of" in refused[0][1][0] and "out of the range" in refused[1][1][0]
            assert outcome == ["100"]


def test_the_end_of_the_channel_ends_the_loop_also_in_asyncio():
    publisher = frameshare.Publisher("cam", SIZE)
    settings = publisher.offer_controls(offered())

    async def serve():
        served = []
        async for setting in settings:
            served.append(setting.value)
            setting.accept()
            if len(served) == 3:
                publisher.close()
        return served

    def ask():
        with frameshare.Monitor("cam") as monitor:
            for value in (1, 2, 3):
                try:
                    monitor.set_control("exposure", value)
                except frameshare.FrameShareError:
                    pass  # the channel may end before the last answer is on its way

    thread = threading.Thread(target=ask)
    thread.start()
    assert asyncio.run(serve()) == [1, 2, 3]
    thread.join()
    assert settings.next() is None and list(settings) == []
    settings.close()
    with pytest.raises(frameshare.Released):
        settings.next(0)


def test_nobody_else_sets_what_nobody_may():
    with frameshare.Publisher("cam", SIZE, control_access="nobody") as publisher, frameshare.Monitor("cam") as monitor:
        settings = publisher.offer_controls(offered())
        assert len(monitor.controls()) == 3
        with pytest.raises(frameshare.Refused, match="lets nobody"):
            monitor.set_control("exposure", 1)
        settings.update(offered()[:1])
        assert list(monitor.controls()) == ["exposure"]
        del settings
        gc.collect()
        until(lambda: not has_controls(monitor))


def has_controls(monitor):
    try:
        return bool(monitor.controls())
    except frameshare.Refused:
        return False


def test_texts_stand_for_values_by_the_kind_of_the_control():
    for kind, text, value in [
        ("boolean", "on", True), ("boolean", "False", False), ("integer", " 12 ", 12), ("integer", "1,-2", (1, -2)),
        ("number", "1.5", 1.5), ("number", "1,2.5", (1.0, 2.5)), ("bitmask", "0x10", 16), ("text", "a,b", "a,b"), ("text", "  a ", "  a "),
        ("rectangle", "1,-2/30x40", Rectangle(1, -2, 30, 40)), ("size", "30x40", Size(30, 40)), ("menu", "3", "3"),
    ]:
        assert Control("c", kind).parse(text) == value, (kind, text)
    for kind, text in [
        ("boolean", "maybe"), ("integer", "1.5"), ("integer", ""), ("number", "nan"), ("number", "inf"), ("number", "1,"),
        ("rectangle", "1,2,3,4"), ("rectangle", "1,2/-3x4"), ("size", "3"), ("bitmask", "x"),
    ]:
        with pytest.raises(frameshare.InvalidArgument, match="no value of 'c'"):
            Control("c", kind).parse(text)
    with pytest.raises(frameshare.InvalidArgument, match="out of the range of 'c', 1 to 5"):
        Control("c", "integer", minimum=1, maximum=5).parse("3,6")


def test_what_can_not_be_offered_is_refused():
    with frameshare.Publisher("cam", SIZE) as publisher:
        for controls in [[Control("a", "colour")], [Control("")], [Control("a"), Control("a")], [Control("a\0b")]]:
            with pytest.raises(frameshare.InvalidArgument):
                publisher.offer_controls(controls)
    with pytest.raises(frameshare.InvalidArgument, match="control_access"):
        frameshare.Publisher("cam", SIZE, control_access="some")
