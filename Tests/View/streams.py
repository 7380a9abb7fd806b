"""Reading what the server sends without a browser: pictures, one by one, and events."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit
from urllib.request import urlopen


class PictureStream:
    """One viewer of a multipart stream, at the level of its socket: it reads only when it is told to."""

    def __init__(self, address: str, path: str, receive_buffer: int | None = None) -> None:
        host = urlsplit(address)
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(60)
        self.socket.connect((host.hostname, host.port))
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: {host.netloc}\r\n\r\n".encode())
        self.file = self.socket.makefile("rb")

    def begin(self) -> None:
        """Reads the head of the response."""
        status = self.file.readline()
        assert b" 200 " in status, status
        self.chunked = False
        while (line := self.file.readline().strip()):
            self.chunked |= line.lower() == b"transfer-encoding: chunked"
        self.left = 0

    def _bytes(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self._some(count - len(data))
            assert piece, "the stream has ended"
            data += piece
        return data

    def _some(self, most: int) -> bytes:
        if not self.chunked:
            return self.file.read(most)
        if self.left == 0:
            size = self.file.readline().strip() or self.file.readline().strip()
            self.left = int(size.split(b";")[0], 16)
        piece = self.file.read(min(most, self.left))
        self.left -= len(piece)
        return piece

    def _line(self) -> bytes:
        line = b""
        while not line.endswith(b"\r\n"):
            line += self._bytes(1)
        return line[:-2]

    def picture(self) -> tuple[dict[str, str], bytes]:
        """The next picture, with its header's fields in lower case."""
        while not self._line().startswith(b"--"):
            pass
        fields: dict[str, str] = {}
        while (line := self._line()):
            name, _, value = line.decode().partition(":")
            fields[name.lower()] = value.strip()
        return fields, self._bytes(int(fields["content-length"]))

    def close(self) -> None:
        self.file.close()
        self.socket.close()


def get_json(address: str) -> dict:
    with urlopen(address, timeout=60) as answer:
        return json.load(answer)


def events(address: str, kind: str) -> Iterator[dict]:
    """The bodies of one kind of the server's events, as they come."""
    with urlopen(f"{address}/api/events", timeout=60) as answer:
        event = ""
        for line in answer:
            name, _, value = line.decode().rstrip("\r\n").partition(":")
            if name == "event":
                event = value.strip()
            elif name == "data" and event == kind:
                yield json.loads(value)


def next_event(address: str, kind: str) -> dict:
    """What the server sees next: its first event tells what it saw last."""
    bodies = events(address, kind)
    next(bodies)
    return next(bodies)
