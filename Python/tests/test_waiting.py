"""Ctrl-C at any moment of a wait: it comes through, and leaves every lock as it was."""

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import frameshare
from conftest import PATIENCE
from frameshare._waiting import interrupts_held
from frameshare.remote.job import RequestFuture

ROUNDS = 1000


@pytest.fixture
def interrupted_after(monkeypatch):
    """Interrupts the main thread after so many seconds, as Ctrl-C does."""
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_an_interrupt_at_any_moment_ends_the_wait_for_a_result(interrupted_after) -> None:
    # Python's own Future sleeps on for ever within some hundred rounds.
    for _ in range(ROUNDS):
        future, free = RequestFuture(), []

        def look() -> None:
            free.append(future._condition.acquire(blocking=False))
            future._condition.release()

        with pytest.raises(KeyboardInterrupt):
            interrupted_after(random.uniform(1e-6, 60e-6))
            future.result()
        other = threading.Thread(target=look)
        other.start()
        other.join()
        assert free == [True]


def test_a_result_still_ends_the_wait_and_a_timeout_too() -> None:
    future = RequestFuture()
    with pytest.raises(TimeoutError):
        future.result(0.12)
    threading.Timer(0.12, future.set_result, (7,)).start()
    assert future.result() == 7 and future.result(0) == 7


def test_an_interrupt_comes_after_what_it_must_not_cut_in_two() -> None:
    steps = []
    with pytest.raises(KeyboardInterrupt):
        with interrupts_held():
            # Whichever thread has the signal.
            other = threading.Thread(target=lambda: signal.pthread_kill(threading.get_ident(), signal.SIGINT))
            other.start()
            other.join()
            signal.raise_signal(signal.SIGINT)
            end = time.monotonic() + 0.05
            while time.monotonic() < end:
                pass
            steps.append("whole")
    assert steps == ["whole"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


@pytest.fixture
def channel(folder):
    with frameshare.Publisher("waits", {"main": (8, 4, "R8")}, slots=2) as publisher, frameshare.Subscriber("waits") as subscriber:
        yield publisher, subscriber


def waits(publisher, subscriber):
    """Everything that waits for the library."""
    taken = [publisher.slot(0), publisher.slot(0)]
    results = publisher.results("g")
    settings = publisher.offer_controls([])
    yield subscriber.next
    yield lambda: subscriber.next(after=5)
    yield lambda: next(iter(subscriber))
    yield publisher.slot
    yield lambda: publisher.wait_for_subscriber(2)
    yield results.next
    yield settings.next
    for slot in taken:
        slot.discard()
    with frameshare.Subscriber("waits", group="g") as member:
        pending = publisher.ask("g", b"\0" * 32, deadline=None)
        yield pending.result
        yield pending.progress
        yield publisher.drain
        member.next(PATIENCE).release()
        yield member.next


def test_a_signal_ends_every_wait_in_the_main_thread(interrupted_after, channel) -> None:
    for wait in waits(*channel):
        with pytest.raises(KeyboardInterrupt):
            interrupted_after(0.05)
            wait()


def test_a_signal_that_another_thread_has_ends_a_wait_too(channel) -> None:
    _, subscriber = channel
    stop = threading.Event()

    def interrupt() -> None:
        while not stop.wait(0.05):
            signal.pthread_kill(threading.get_ident(), signal.SIGINT)
            return

    thread = threading.Thread(target=interrupt)
    with pytest.raises(KeyboardInterrupt):
        thread.start()
        subscriber.next()
    thread.join()


def test_a_handler_that_raises_nothing_lets_the_wait_go_on(channel) -> None:
    publisher, subscriber = channel
    calls: list[int] = []

    def publish_at_the_tenth(number: int, _: object) -> None:
        calls.append(number)
        if len(calls) == 10:
            publisher.publish(b"\7" * 32)

    before = signal.signal(signal.SIGALRM, publish_at_the_tenth)
    signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
    try:
        assert bytes(subscriber.next()["main"]) == b"\7" * 32
        # Nor do they make a time longer.
        with pytest.raises(frameshare.TimedOut):
            subscriber.next(0.1)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_interrupt_still_ends_a_wait_of_the_main_thread(channel) -> None:
    _, subscriber = channel
    timer = threading.Timer(0.05, subscriber.interrupt)
    timer.start()
    with pytest.raises(frameshare.FrameShareError) as ended:
        subscriber.next(PATIENCE)
    assert not isinstance(ended.value, frameshare.TimedOut)
    timer.join()


FORKED = """
import os, signal, sys, threading
import frameshare

def interrupted() -> None:
    # In the child this thread is the main one, which has signals.
    child = os.fork()
    if child == 0:
        try:
            with frameshare.Subscriber("waits") as camera:
                signal.signal(signal.SIGALRM, signal.default_int_handler)
                signal.setitimer(signal.ITIMER_REAL, 0.3)
                camera.next()
        except KeyboardInterrupt:
            os._exit(0)
        finally:
            os._exit(1)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

codes = []
thread = threading.Thread(target=interrupted)
thread.start()
thread.join()
sys.exit(codes[0])
"""


def test_an_interrupt_ends_a_wait_in_a_process_that_a_thread_has_forked(folder) -> None:
    with frameshare.Publisher("waits", {"main": (8, 4, "R8")}, slots=2):
        program = subprocess.run([sys.executable, "-c", FORKED], timeout=PATIENCE)
    assert program.returncode == 0


def ends_without_the_lock() -> Iterator[tuple[str, Callable[[], Any]]]:
    """Objects that end when they are dropped, each by what makes one."""
    publisher = frameshare.Publisher("camera", {"main": (640, 480, "BGR888")}, slots=4)
    streams = {"main": (640, 480, "BGR888")}
    yield "publisher", lambda: frameshare.Publisher("other", streams, slots=4)
    yield "subscriber", lambda: frameshare.Subscriber("camera")
    yield "results", lambda: publisher.results("workers")
    yield "monitor", lambda: frameshare.Monitor("camera")
    yield "watch", frameshare.watch_channels
    yield "overlay", lambda: frameshare.Overlay(publisher, "drawn", "painters")
    publisher.close()


def test_what_is_dropped_ends_while_other_threads_run() -> None:
    ran, stop = [0], threading.Event()

    def run() -> None:
        while not stop.is_set():
            ran[0] += 1
            time.sleep(0)

    interval = sys.getswitchinterval()
    # Python's lock is never taken away: another thread runs only where it is given up.
    sys.setswitchinterval(1000)
    thread = threading.Thread(target=run)
    try:
        thread.start()
        for name, make in ends_without_the_lock():
            for _ in range(500):
                made = make()
                before = ran[0]
                del made
                if ran[0] != before:
                    break
            else:
                pytest.fail(f"a {name} that is dropped keeps other threads waiting")
    finally:
        stop.set()
        sys.setswitchinterval(interval)
        thread.join()
