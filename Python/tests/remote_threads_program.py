"""remote_threads_program.py MODULE: a program as picamera2's examples of one remote process are, with one import line to change.

The worker compares each frame with the one before, and prints what it sees; a thread takes the results; a callback of the
camera's draws the last one on the frames that follow, of which the worker sees it.
"""

import importlib
import json
import multiprocessing
import queue
import sys
import threading

import picamera2

remote = importlib.import_module(sys.argv[1])
COUNT = 8

before = None
drawn = 0


def compare(request, number=None):
    global before
    array = request.make_array("main")
    with remote.RemoteMappedArray(request, "main") as m:
        # Below the row that is drawn on, all of a frame's pixels are alike.
        same = bool((m.array[1:] == m.array[1, 0]).all() and (m.array == array).all())
        seen = int.from_bytes(m.array[1, 0].tobytes(), "little") >> 2
        mark = int(m.array[0, 0, 0])
    assert seen == request.get_metadata()["FocusFoM"] == number, (seen, number)
    distance = None if before is None else int.from_bytes(array[1, 0].tobytes(), "little") - int.from_bytes(before[1, 0].tobytes(), "little")
    before = array
    print(json.dumps({"worker": number, "same": same}), flush=True)
    return number, distance, mark


def take(futures):
    global drawn
    last = None
    for place in range(COUNT):
        number, distance, mark = futures.get().result()
        right = distance is None if last is None else distance == (number - last) << 2
        print(json.dumps({"result": place, "right": right, "mark": mark}), flush=True)
        last, drawn = number, place + 1


def draw(request):
    with picamera2.MappedArray(request, "main") as m:
        m.array[0] = drawn


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    picam2 = picamera2.Picamera2()
    picam2.configure(picam2.create_preview_configuration({"size": (128, 96)}, buffer_count=6))
    picam2.post_callback = draw
    picam2.start()
    process = remote.Process(compare, picam2)
    futures = queue.Queue()
    thread = threading.Thread(target=take, args=(futures,))
    thread.start()
    for place in range(COUNT):
        # The camera draws what came of all before it.
        while drawn < place:
            picam2.capture_metadata()
        with picam2.captured_request(flush=True) as request:
            futures.put(process.send(request, number=request.get_metadata()["FocusFoM"]))
    thread.join()
    process.close()
    picam2.stop()
