"""Ctrl-C at any moment of a wait: it comes through, and leaves every lock as it was."""

import random
import signal
import threading
import time

import pytest

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
