"""Arrays lie over the published bytes, shaped as their formats demand."""

import os

import numpy as np
import pytest

import frameshare
from conftest import PATIENCE
from frameshare import Format, Publisher, Stream, Subscriber

WIDTH, HEIGHT = 36, 20


def stream(format: Format, alignment: int = 64) -> Stream:
    if format.is_compressed:
        return Stream.opaque("main", WIDTH, HEIGHT, format.name, 4000)
    return Stream.computed("main", WIDTH, HEIGHT, format.name, alignment=alignment)


@pytest.mark.parametrize("format", list(Format.all()), ids=str)
def test_every_formats_planes_are_read_as_they_were_written(format: Format) -> None:
    random = np.random.default_rng(1)
    with Publisher("a", {"main": stream(format)}) as publisher, Subscriber("a") as camera:
        if format.is_compressed:
            content = random.bytes(1234)
            publisher.publish(content)
        else:
            with publisher.slot() as slot:
                written = []
                for plane in slot["main"].planes:
                    plane[...] = random.integers(0, 256, plane.shape).astype(plane.dtype)
                    written.append(plane.copy())
        frame = camera.next(60)
        image = frame["main"]
        if format.is_compressed:
            assert image.array.tobytes() == content == bytes(image.buffer)
            return
        assert len(image.planes) == len(written) == len(format.planes)
        for plane, expected, layout in zip(image.planes, written, image.layout):
            np.testing.assert_array_equal(plane, expected)
            assert not plane.flags.writeable and not plane.flags.owndata
            assert plane.strides[0] == layout.stride and layout.stride % 64 == 0
            # No padding is in the view: its rows have as many bytes as their pixels.
            assert plane[0].size * plane.itemsize <= layout.stride
        if len(written) == 1:
            np.testing.assert_array_equal(image.array, written[0])
        elif image.layout[0].stride:
            assert image.array.shape[1] == image.layout[0].stride
            np.testing.assert_array_equal(image.array[:HEIGHT, :WIDTH], written[0])


def test_shapes_are_what_numpy_and_opencv_users_expect() -> None:
    shapes = {
        "BGR888": ((20, 36, 3), "uint8"),
        "XRGB8888": ((20, 36, 4), "uint8"),
        "R8": ((20, 36), "uint8"),
        "R10": ((20, 36), "uint16"),
        "SRGGB12": ((20, 36), "uint16"),
        "SRGGB10_CSI2P": ((20, 45), "uint8"),
        "BGR161616": ((20, 36, 3), "uint16"),
        "RGB565": ((20, 36), "uint16"),
        "YUYV": ((20, 36, 2), "uint8"),
        "YUV420": ((30, 36), "uint8"),
        "NV12": ((30, 36), "uint8"),
        "YUV444": ((60, 36), "uint8"),
    }
    for name, (shape, dtype) in shapes.items():
        with Publisher("a", {"main": stream(Format.named(name), 1)}) as publisher, Subscriber("a") as camera:
            with publisher.slot() as slot:
                assert slot["main"].array.shape == shape, name
            array = camera.next(60)["main"].array
            assert (array.shape, str(array.dtype)) == (shape, dtype), name


def test_an_array_is_the_shared_memory_itself() -> None:
    with Publisher("a", {"main": (64, 48, "BGR888")}, slots=2) as publisher, Subscriber("a") as camera:
        slot = publisher.slot()
        mine = slot["main"].array
        mine[:] = 1
        slot.publish()
        theirs = camera.next(60)["main"].array
        assert theirs[0, 0, 0] == 1
        mine[0, 0, 0] = 9  # a publisher that breaks the rules shows that nothing was copied
        assert theirs[0, 0, 0] == 9
        with pytest.raises(ValueError):
            theirs[0, 0, 0] = 3
        with pytest.raises(ValueError):
            theirs.flags.writeable = True


def test_dlpack_and_the_buffer_protocol_give_the_same_bytes() -> None:
    with Publisher("a", {"main": (64, 48, "BGR888")}) as publisher, Subscriber("a") as camera:
        publisher.publish(np.arange(64 * 48 * 3, dtype=np.uint8).reshape(48, 64, 3))
        image = camera.next(60)["main"]
        shared = np.from_dlpack(image)
        assert np.shares_memory(shared, image.array) and not shared.flags.writeable
        view = image.buffer
        assert view.readonly and bytes(view) == image.array.tobytes()
        assert np.shares_memory(np.asarray(image), image.array)
        assert os.pread(image.fds[0], 16, image.layout[0].offset) == bytes(view[:16])
        assert image.memory == "memfd" and image.protection == "sealed"


COLORS = np.array([[200, 30, 40], [20, 220, 60], [10, 40, 230], [128, 128, 128]], np.uint8)


@pytest.mark.parametrize("name", ["BGR888", "RGB888", "XBGR8888", "BGRA8888", "RGB565", "RGB161616"])
def test_rgb_formats_convert_to_their_colours(name: str) -> None:
    picture = np.repeat(np.repeat(COLORS.reshape(2, 2, 3), 10, 0), 18, 1)
    with Publisher("a", {"main": stream(Format.named(name))}) as publisher, Subscriber("a") as camera:
        with publisher.slot() as slot:
            target = slot["main"].array
            letters = Format.named(name).planes[0].components
            if target.ndim == 2:
                r, g, b = (picture[:, :, i].astype(np.uint16) for i in range(3))
                target[:] = (r >> 3) << 11 | (g >> 2) << 5 | b >> 3
            else:
                for i, letter in enumerate(letters):
                    if letter in "RGB":
                        target[:, :, i] = picture[:, :, "RGB".index(letter)].astype(target.dtype) * (
                            257 if target.itemsize == 2 else 1
                        )
        rgb = camera.next(60)["main"].to_rgb()
    assert rgb.shape == (20, 36, 3) and rgb.dtype == np.uint8
    assert np.abs(rgb.astype(int) - picture).max() <= (8 if name == "RGB565" else 0)


@pytest.mark.parametrize("name", ["YUV420", "NV12", "NV21", "YUV422", "YUV444", "YUYV", "UYVY", "YVU420"])
@pytest.mark.parametrize("space", ["sYCC", "SMPTE170M", "Rec709"])
def test_yuv_formats_convert_to_their_colours(name: str, space: str) -> None:
    format = Format.named(name)
    made = Stream.computed("main", WIDTH, HEIGHT, name, alignment=64, color_space=space)
    red, blue = (0.2126, 0.0722) if space == "Rec709" else (0.299, 0.114)
    for color in COLORS.astype(float):
        y = color @ [red, 1 - red - blue, blue]
        u, v = (color[2] - y) / (2 * (1 - blue)), (color[0] - y) / (2 * (1 - red))
        if space != "sYCC":
            y, u, v = 16 + y * 219 / 255, u * 224 / 255, v * 224 / 255
        sample = {"Y": round(y), "U": round(u + 128), "V": round(v + 128)}
        with Publisher("a", {"main": made}) as publisher, Subscriber("a") as camera:
            with publisher.slot() as slot:
                for info, plane in zip(format.planes, slot["main"].planes):
                    if info.pixels_per_group == 2:
                        for i, letter in enumerate(info.components):
                            plane[:, i // 2 :: 2, i % 2] = sample[letter]
                    elif plane.ndim == 3:
                        for i, letter in enumerate(info.components):
                            plane[:, :, i] = sample[letter]
                    else:
                        plane[:] = sample[info.components]
            image = camera.next(60)["main"]
            assert image.color_space == space
            assert np.abs(image.to_rgb().astype(int) - color).max() <= 3


def test_pictures_are_saved(tmp_path) -> None:
    import PIL.Image

    picture = np.repeat(np.repeat(COLORS.reshape(2, 2, 3), 10, 0), 18, 1)
    with Publisher("a", {"main": (36, 20, "BGR888")}) as publisher, Subscriber("a") as camera:
        publisher.publish(picture)
        image = camera.next(60)["main"]
        image.save(tmp_path / "a.png")
        image.save(tmp_path / "a.npy")
        assert image.to_pil().size == (36, 20)
    np.testing.assert_array_equal(np.asarray(PIL.Image.open(tmp_path / "a.png")), picture)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), picture)


def test_motion_jpeg_is_decoded_and_saved_as_it_came(tmp_path) -> None:
    import cv2

    encoded = cv2.imencode(".jpg", np.full((20, 36, 3), (200, 30, 40), np.uint8))[1].tobytes()
    with Publisher("a", {"main": stream(Format.named("MJPEG"))}) as publisher, Subscriber("a") as camera:
        publisher.publish(encoded)
        image = camera.next(60)["main"]
        image.save(tmp_path / "a.jpg")
        assert np.abs(image.to_rgb().astype(int) - (40, 30, 200)).max() <= 6
    assert (tmp_path / "a.jpg").read_bytes() == encoded


@pytest.mark.parametrize("name", ["SRGGB8", "SBGGR10", "SGRBG12_CSI2P", "SGBRG10_CSI2P"])
def test_bayer_formats_convert_to_their_colours(name: str) -> None:
    format = Format.named(name)
    level = {"R": 200, "G": 100, "B": 40}
    mosaic = np.array([[level[c] for c in format.bayer_order[:2]], [level[c] for c in format.bayer_order[2:]]])
    full = np.tile(mosaic, (HEIGHT // 2, WIDTH // 2))
    with Publisher("a", {"main": stream(format)}) as publisher, Subscriber("a") as camera:
        with publisher.slot() as slot:
            target = slot["main"].array
            if format.packing == "csi2":
                pixels, group = {10: (4, 5), 12: (2, 3)}[format.bit_depth]
                for i in range(pixels):
                    target[:, i::group] = full[:, i::pixels]
            else:
                target[:] = full.astype(target.dtype) << (format.bit_depth - 8)
        rgb = camera.next(60)["main"].to_rgb()
    assert np.abs(rgb[4:-4, 4:-4].astype(int) - (200, 100, 40)).max() <= 1


def test_what_does_not_fit_is_refused() -> None:
    with Publisher("a", {"main": (64, 48, "BGR888")}) as publisher:
        for wrong in (np.zeros((48, 64), np.uint8), np.zeros((48, 64, 3), np.float32), b"abc"):
            with pytest.raises(frameshare.LayoutError):
                publisher.publish(wrong)
        # Nothing was leaked by it: every slot is there.
        assert publisher.statistics.slots_free == 8
    with pytest.raises(frameshare.LayoutError):
        Publisher("a", {"main": (0, 48, "BGR888")})
    with pytest.raises(frameshare.LayoutError):
        Format.named("no such format")


@pytest.mark.parametrize("name, order", [("BGR888", "RGB"), ("RGB888", "BGR"), ("XBGR8888", "RGBX"), ("R8", None)])
def test_an_image_says_the_order_of_its_channels_and_gives_opencv_what_it_expects(name, order) -> None:
    with Publisher("orders", {"main": (4, 2, name)}) as publisher, Subscriber("orders") as camera:
        with publisher.slot() as slot:
            array = slot["main"].array
            if order is None:
                array[:] = 9
            else:
                for i, letter in enumerate(order):
                    array[:, :, i] = {"R": 1, "G": 2, "B": 3}.get(letter, 0)
            slot.publish()
        with camera.next(PATIENCE) as frame:
            image = frame["main"]
            assert image.channel_order == order
            assert image.to_rgb()[0, 0].tolist() == ([9, 9, 9] if order is None else [1, 2, 3])
            assert image.to_bgr()[0, 0].tolist() == ([9, 9, 9] if order is None else [3, 2, 1])
            assert image.to_bgr().flags.c_contiguous
