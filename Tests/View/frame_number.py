"""The frame number that the test pattern draws at the top left: 8 x 8 cells, 48 bits of number and 16 of check
(Sources/FrameSources/TestPattern/FrameNumberCode.swift)."""

from __future__ import annotations

import io

from PIL import Image

CELLS = 8


def side(width: int, height: int) -> int:
    """Pixels along a side of the square that the number takes in a picture of this size."""
    room = min(width, height) // 16
    cell = min(room & ~7, 32) if room >= 8 else 4 if room >= 4 else 2
    return CELLS * cell


def check(number: int) -> int:
    crc = 0xFFFF
    for byte in number.to_bytes(6, "big"):
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc ^ 0xFFFF


def read_square(square: Image.Image) -> int | None:
    """The number in an image of the square alone, of any size; None where there is none."""
    grey = square.convert("L")
    cell = (grey.width / CELLS, grey.height / CELLS)
    brightness = []
    for row in range(CELLS):
        for column in range(CELLS):
            # The middle of a cell, where scaling and compression change least.
            box = (
                round((column + 0.25) * cell[0]), round((row + 0.25) * cell[1]),
                round((column + 0.75) * cell[0]), round((row + 0.75) * cell[1]),
            )  # fmt: skip
            pixels = grey.crop(box).tobytes()
            brightness.append(sum(pixels) / len(pixels))
    darkest, brightest = min(brightness), max(brightness)
    if brightest - darkest < 64:
        return None
    code = 0
    for value in brightness:
        code = code << 1 | (value > (darkest + brightest) / 2)
    number = code >> 16
    return number if check(number) == code & 0xFFFF else None


def read_picture(data: bytes) -> int | None:
    """The number in a whole picture, as JPEG or PNG."""
    picture = Image.open(io.BytesIO(data))
    edge = side(*picture.size)
    return read_square(picture.crop((0, 0, edge, edge)))
