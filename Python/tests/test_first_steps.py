"""What a new user stumbles on: files of images without other packages, and arguments of wrong types."""

from __future__ import annotations

import io
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import frameshare
from frameshare import Publisher, Stream, Subscriber

from conftest import PATIENCE


def taken(format: str, width: int = 24, height: int = 10) -> Any:
    """A frame of a format, of any pixels, and what they are."""
    with Publisher("camera", {"main": (width, height, format)}) as publisher, Subscriber("camera") as camera:
        random = np.random.default_rng(7)
        with publisher.slot() as slot:
            for plane in slot["main"].planes:
                plane[...] = random.integers(0, 2**16, plane.shape, np.uint16).astype(plane.dtype)
                if format in ("R10", "R12"):
                    plane &= (1 << int(format[1:])) - 1
            slot.publish()
        frame = camera.next(PATIENCE)
        assert frame is not None
        return frame


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither Pillow nor OpenCV is installed."""
    for name in ("PIL", "PIL.Image", "cv2"):
        monkeypatch.setitem(sys.modules, name, None)


def decoded(path: Path) -> Any:
    import cv2

    # Its depth and its samples are as they are in the file.
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert image is not None
    return image if image.ndim == 2 else image[:, :, [2, 1, 0, 3][: image.shape[2]]]


@pytest.mark.parametrize(
    "format",
    ["R8", "R10", "R12", "R16", "BGR888", "RGB888", "ABGR8888", "XRGB8888", "BGR161616", "RGB565", "YUV420", "NV12", "YUYV"],
)
def test_a_png_has_all_that_the_image_has(format: str, tmp_path: Path) -> None:
    try:
        frame = taken(format)
    except frameshare.LayoutError:
        pytest.skip(f"this release has no format {format}")
    image, path = frame["main"], tmp_path / "a.png"
    image.save(path)
    seen = decoded(path)
    if format in ("R10", "R12", "R16"):
        depth = int(format[1:])
        assert seen.dtype == np.uint16 and ((seen >> (16 - depth)) == image.array).all()
    elif format == "R8":
        assert seen.dtype == np.uint8 and (seen == image.array).all()
    elif format == "ABGR8888":
        assert (seen == image.array).all() and seen.shape[2] == 4
    elif format == "BGR161616":
        assert seen.dtype == np.uint16 and (seen == image.array).all()
    else:
        assert (seen == image.to_rgb()).all()


def test_white_is_white_whatever_the_depth(tmp_path: Path) -> None:
    with Publisher("camera", {"main": (8, 8, "R10")}) as publisher, Subscriber("camera") as camera:
        publisher.publish(np.full((8, 8), 1023, np.uint16))
        frame = camera.next(PATIENCE)
        assert frame is not None
        frame["main"].save(tmp_path / "a.png")
    assert (decoded(tmp_path / "a.png") == 65535).all()
    data = (tmp_path / "a.png").read_bytes()
    assert data[37:45] == b"sBIT\x0a" + zlib.crc32(b"sBIT\x0a").to_bytes(4)[:3]


def test_without_pillow_and_opencv_a_png_is_written_and_others_say_what_to_install(alone: None, tmp_path: Path) -> None:
    image = taken("YUV420")["main"]
    image.save(tmp_path / "a.png")
    image.save(tmp_path / "a.npy")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    for call in (lambda: image.save(tmp_path / "a.jpg"), lambda: image.save(tmp_path / "a.webp"), image.to_pil):
        with pytest.raises(frameshare.MissingPackage, match=r"pip install 'frameshare\[images\]'"):
            call()
    with pytest.raises(frameshare.MissingPackage, match="opencv"):
        taken("SRGGB10")["main"].to_rgb()
    # They are ImportErrors, too: what caught those catches these.
    assert issubclass(frameshare.MissingPackage, ImportError)


def test_a_jpeg_frame_is_saved_as_it_came(alone: None, tmp_path: Path) -> None:
    data = b"\xff\xd8 any \xff\xd9"
    with Publisher("camera", [Stream.opaque("main", 8, 8, "MJPEG", 1000)]) as publisher, Subscriber("camera") as camera:
        publisher.publish(data)
        frame = camera.next(PATIENCE)
        assert frame is not None
        frame["main"].save(tmp_path / "a.jpg")
        with pytest.raises(frameshare.MissingPackage, match="MJPEG"):
            frame["main"].save(tmp_path / "a.png")
    assert (tmp_path / "a.jpg").read_bytes() == data


def test_a_damaged_jpeg_and_an_ending_that_nobody_knows_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = taken("BGR888")["main"]
    for hidden in ((), ("PIL", "PIL.Image")):
        for name in hidden:
            monkeypatch.setitem(sys.modules, name, None)
        for name in ("a", "a.xyz"):
            with pytest.raises(frameshare.InvalidArgument, match=name):
                image.save(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        image.save(tmp_path / "none" / "a.png")


# Arguments


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Callable[[Any], Any]]:
    """Calls that take a time, a size or a count, by the argument's name."""

    def of_channel(call: Callable[[Publisher, Subscriber, Any], Any]) -> Callable[[Any], Any]:
        def made(value: Any) -> Any:
            with Publisher("camera", {"main": (16, 8, "R8")}) as publisher, Subscriber("camera") as camera:
                return call(publisher, camera, value)

        return made

    def published(**options: Any) -> None:
        Publisher("camera", {"main": (16, 8, "R8")}, **options).close()

    picture = np.zeros((8, 16), np.uint8)
    return {
        "next timeout": of_channel(lambda publisher, camera, value: camera.next(value)),
        "next after": of_channel(lambda publisher, camera, value: camera.next(after=value)),
        "slot timeout": of_channel(lambda publisher, camera, value: publisher.slot(value)),
        "publish timeout": of_channel(lambda publisher, camera, value: publisher.publish(picture, timeout=value)),
        "publish timestamp": of_channel(lambda publisher, camera, value: publisher.publish(picture, timestamp=value)),
        "publish sequence": of_channel(lambda publisher, camera, value: publisher.publish(picture, sequence=value)),
        "publish flags": of_channel(lambda publisher, camera, value: publisher.publish(picture, flags=value)),
        "ask deadline": of_channel(lambda publisher, camera, value: publisher.ask("g", picture, deadline=value)),
        "ask attempts": of_channel(lambda publisher, camera, value: publisher.ask("g", picture, attempts=value)),
        "results window": of_channel(lambda publisher, camera, value: publisher.results("g", window=value)),
        "results capacity": of_channel(lambda publisher, camera, value: publisher.results("g", capacity=value)),
        "wait count": of_channel(lambda publisher, camera, value: publisher.wait_for_subscriber(value)),
        "wait timeout": of_channel(lambda publisher, camera, value: publisher.wait_for_subscriber(1, value)),
        "drain timeout": of_channel(lambda publisher, camera, value: publisher.drain(value)),
        "reconfigure slots": of_channel(lambda publisher, camera, value: publisher.reconfigure({"main": (8, 8, "R8")}, slots=value)),
        "budget": lambda value: Subscriber("camera", budget=value),
        "connect_timeout": lambda value: Subscriber("camera", connect_timeout=value),
        "wait_for_channel": lambda value: Subscriber("camera", wait_for_channel=value),
        "spin": lambda value: Subscriber("camera", spin=value),
        "slots": lambda value: published(slots=value),
        "mode": lambda value: published(mode=value),
        "copies": lambda value: published(copies=value),
        "copy_floor": lambda value: published(copies=2, copy_floor=value),
        "stall_limit": lambda value: published(stall_limit=value),
        "lease_limit": lambda value: published(lease_limit=value),
        "metadata_capacity": lambda value: published(metadata_capacity=value),
        "source_need": lambda value: published(source_need=value),
        "subscriber_limit": lambda value: published(subscriber_limit=value),
        "width": lambda value: Stream.computed("main", value, 8),
        "height": lambda value: Stream.computed("main", 8, value),
        "alignment": lambda value: Stream.computed("main", 8, 8, alignment=value),
        "capacity": lambda value: Stream.opaque("main", 8, 8, "MJPEG", value),
    }


NAMES = (
    "next timeout;next after;slot timeout;publish timeout;publish timestamp;publish sequence;publish flags;ask deadline;"
    "ask attempts;results window;results capacity;wait count;wait timeout;drain timeout;reconfigure slots;budget;"
    "connect_timeout;wait_for_channel;spin;slots;mode;copies;copy_floor;stall_limit;lease_limit;metadata_capacity;source_need;"
    "subscriber_limit;width;height;alignment;capacity"
).split(";")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("wrong", ["x", b"5", [1], object()], ids=["str", "bytes", "list", "object"])
def test_an_argument_of_a_wrong_type_is_named(name: str, wrong: Any, calls: dict[str, Any]) -> None:
    assert set(calls) == set(NAMES)
    with pytest.raises(TypeError, match=name.split()[-1]) as error:
        calls[name](wrong)
    assert type(wrong).__name__ in str(error.value)


def test_arguments_of_recordings_and_copies_are_named_too() -> None:
    with pytest.raises(TypeError, match="post"):
        frameshare.trigger("camera", post="1s")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="channel"):
        frameshare.trigger(7)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Subscriber(7), "channel must be a str"),  # type: ignore[arg-type]
        (lambda: Subscriber("camera", streams="main"), r"streams must be a list of names, such as \['main'\]"),
        (lambda: Subscriber("camera", policy=3), "policy must be a str"),  # type: ignore[arg-type]
        (lambda: frameshare.Monitor(None), "channel must be a str"),  # type: ignore[arg-type]
        (lambda: Publisher(7, {"main": (8, 8, "R8")}), "channel must be a str"),  # type: ignore[arg-type]
        (lambda: Publisher("camera", {"main": "8x8"}), r"streams\['main'\] must be"),  # type: ignore[dict-item]
        (lambda: Publisher("camera", {"main": (8,)}), r"streams\['main'\] must be"),  # type: ignore[dict-item]
        (lambda: Publisher("camera", (8, 8, "R8")), "streams must be a dict"),  # type: ignore[arg-type]
        (lambda: Publisher("camera", {"main": (8, 8, "R8")}, sloths=3), r"Publisher\(\) got an unexpected .*'sloths'"),
        (lambda: frameshare.relay("camera", streams="main"), "streams"),
        (lambda: frameshare.relay(7), "channel"),  # type: ignore[arg-type]
    ],
)
def test_what_is_written_first_and_is_wrong_says_what_is_right(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        call()


def test_metadata_that_is_none_is_named() -> None:
    with Publisher("camera", {"main": (8, 8, "R8")}) as publisher, pytest.raises(TypeError, match="metadata must be a dict"):
        publisher.publish(bytes(64), metadata="x")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["timeout", "limit"])
def test_a_pool_s_arguments_are_named(name: str) -> None:
    from frameshare.remote import Pool

    with pytest.raises(TypeError, match=name):
        Pool(print, 1, None, **{name: "5"})  # type: ignore[arg-type]


def test_a_worker_s_queue_is_named() -> None:
    with pytest.raises(TypeError, match="queue"):
        frameshare.Worker("camera", "g", print, queue="1")  # type: ignore[arg-type]
    with pytest.raises(frameshare.InvalidArgument, match="queue"):
        frameshare.Worker("camera", "g", print, queue=0)  # type: ignore[arg-type]


# Other packages are loaded when they are needed

WITHOUT_NUMPY = """
import sys
sys.modules["numpy"] = None
import frameshare
with frameshare.Publisher("plain", {"main": (5, 4, "XRGB8888"), "grey": (5, 4, "R8"), "y": (4, 4, "YUV420")}) as publisher:
    with frameshare.Subscriber("plain") as subscriber:
        publisher.publish({"main": bytes(range(80)), "grey": bytes(range(20)), "y": bytes(24)})
        with subscriber.next(60) as frame:
            assert memoryview(frame["grey"]).tolist()[1] == [5, 6, 7, 8, 9]
            for name in ("main", "grey"):
                frame[name].save(f"{sys.argv[1]}/{name}.png")
            image = frame["y"]
            calls = (lambda: image.array, image.to_rgb, image.to_bgr, image.to_pil, lambda: image.save("x.png"),
                     lambda: image.save("x.npy"), lambda: frame["main"].save("x.jpg"), lambda: frame["main"].rows)
            for call in calls:
                try:
                    call()
                except frameshare.MissingPackage as error:
                    assert "pip install numpy" in str(error), error
                else:
                    raise AssertionError("it was not told")
"""


def test_without_numpy_pictures_are_published_read_and_saved(tmp_path: Path) -> None:
    run = subprocess.run([sys.executable, "-c", WITHOUT_NUMPY, str(tmp_path)], capture_output=True, text=True)
    assert run.returncode == 0 and run.stderr == "", run.stderr
    assert (decoded(tmp_path / "grey.png") == np.arange(20).reshape(4, 5)).all()
    # X, R, G, B as a little-endian word: blue comes first.
    assert (decoded(tmp_path / "main.png") == np.arange(80).reshape(4, 5, 4)[:, :, [2, 1, 0]]).all()



def test_importing_loads_neither_numpy_nor_asyncio() -> None:
    program = "import sys, frameshare; print([m for m in ('numpy', 'asyncio', 'subprocess', 'PIL', 'cv2') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert out == "[]\n"


def test_bytes_fill_a_raw_image_too() -> None:
    with Publisher("camera", {"main": (16, 8, "R8")}) as publisher, Subscriber("camera") as camera:
        publisher.publish(bytes(range(128)))
        frame = camera.next(PATIENCE)
        assert frame is not None and frame["main"].array.tobytes() == bytes(range(128))
        with pytest.raises(frameshare.LayoutError, match="127"):
            publisher.publish(bytes(127))


def test_png_of_rows_that_do_not_fit_is_no_file() -> None:
    from frameshare._png import png

    with pytest.raises(ValueError, match="row"):
        png(4, 1, 3, 8, [b"12"])
    assert io.BytesIO(png(1, 1, 1, 8, [b"\x80"])).read(4) == b"\x89PNG"
