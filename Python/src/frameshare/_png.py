"""PNG files, written with nothing but the standard library (ISO/IEC 15948)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable

Bytes = bytes | bytearray | memoryview

# A PNG's colour types, by the samples of a pixel.
_COLOR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # grey; grey, alpha; RGB; RGBA


def png(width: int, height: int, samples: int, depth: int, rows: Iterable[Bytes], significant: int | None = None) -> bytes:
    """The bytes of a PNG file.

    ``samples`` is how many a pixel has: 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA. ``depth`` is 8 or 16 bits; of 16 the high byte
    comes first. ``rows`` gives each row's bytes, from the top. ``significant`` is how many of the bits the source had.
    """
    header = struct.pack(">IIBBBBB", width, height, depth, _COLOR_TYPES[samples], 0, 0, 0)
    compressor = zlib.compressobj(3)
    parts: list[bytes] = []
    size = width * samples * depth // 8
    above, masks = bytes(size), (int.from_bytes(b"\x7f" * size), int.from_bytes(b"\x80" * size))
    for row in rows:
        line = bytes(row)
        if len(line) != size:
            raise ValueError(f"a row has {len(line)} bytes, not {size}")
        parts.append(compressor.compress(_filtered(line, above, masks)))
        above = line
    parts.append(compressor.flush())
    chunks = [_chunk(b"IHDR", header)]
    if significant is not None and significant != depth:
        chunks.append(_chunk(b"sBIT", bytes([significant] * samples)))
    return b"".join([b"\x89PNG\r\n\x1a\n", *chunks, _chunk(b"IDAT", b"".join(parts)), _chunk(b"IEND", b"")])


def _filtered(line: bytes, above: bytes, masks: tuple[int, int]) -> bytes:
    """The filter "up": each byte less the one above it. It is what compresses pictures well, and all bytes of a row are
    subtracted at once, as one large number."""
    (low, high), a, b = masks, int.from_bytes(line), int.from_bytes(above)
    # No byte borrows from the next: each has its highest bit set first, which is put right after.
    difference = ((a | high) - (b & low)) ^ ((a ^ ~b) & high)
    return b"\x02" + difference.to_bytes(len(line))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
