"""The page's player and a stream whose times do not go on evenly: a pause, a jump, a clock that was set back."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from browser import Browser
from processes import until

PAGE = Path(__file__).parents[2] / "Sources/FrameView/Page"
PLAYER = """<!doctype html><html lang="en"><title>player</title><video id="v"></video><script type="module">
import { VideoFeed } from "./video.js";
const video = document.getElementById("v");
video.muted = true;
window.ended = [];
new VideoFeed(video, { playing: () => {}, ended: (reason) => window.ended.push(reason) })
  .start("stream.mp4", "avc1.42c015");
</script>"""
# Where each second of pictures begins, in s: a pause of an hour, a day ahead, back to the beginning, on again.
STARTS = (0, 1, 3600, 90000, 5, 6)


def fragments(start: int, folder: Path) -> tuple[bytes, bytes]:
    """A second of pictures as fragmented MP4 whose times begin at a moment: what begins the stream, and the rest."""
    file = folder / f"{start}.mp4"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=20:duration=1", "-c:v", "libx264",
         "-profile:v", "baseline", "-level", "2.1", "-pix_fmt", "yuv420p", "-g", "20", "-output_ts_offset", str(start),
         "-movflags", "frag_every_frame+empty_moov+default_base_moof", "-use_editlist", "0", str(file)],
        check=True,
    )  # fmt: skip
    data = file.read_bytes()
    cut = data.index(b"moof") - 4
    return data[:cut], data[cut:]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("pieces")
    pieces = [fragments(start, folder) for start in STARTS]
    sent = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            name = self.path.strip("/") or "index.html"
            kinds = {"video.js": "text/javascript", "stream.mp4": "video/mp4"}
            self.send_header("Content-Type", kinds.get(name, "text/html"))
            self.end_headers()
            if name == "video.js":
                self.wfile.write((PAGE / name).read_bytes())
            elif name == "stream.mp4":
                self.wfile.write(pieces[0][0])
                for _, media in pieces:
                    self.wfile.write(media)
                    # As it would come from a camera, and from the view's own server.
                    time.sleep(1)
                sent.wait(60)
            elif name == "index.html":
                self.wfile.write(PLAYER.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    sent.set()
    server.shutdown()


def test_a_jump_of_the_times_freezes_nothing(address: str, browser: Browser) -> None:
    browser.open(address)
    # All that was sent lies in one piece, and the last of it is reached.
    looks = """
        const video = document.getElementById("v");
        const { buffered, currentTime } = video;
        const last = buffered.length - 1;
        return [last + 1, last < 0 ? 0 : buffered.end(last), currentTime, window.ended];
    """
    most = 0.0

    def reached() -> bool:
        nonlocal most
        pieces, end, now, ended = browser.run(looks)
        assert ended == []
        most = max(most, end)
        return pieces == 1 and end > len(STARTS) - 0.5 and end - now < 0.5

    until(f"the player shows the last second that was sent, and not {most}", reached)
    assert most < 2 * len(STARTS), "the times that were jumped over are no part of it"
