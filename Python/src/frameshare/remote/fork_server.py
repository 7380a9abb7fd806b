"""A process that has imported what the workers run, and forks them: each is there at once, and shares that memory."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import socket
from multiprocessing import connection, resource_tracker
from typing import Any

from .._waiting import interrupts_held
from . import child

_START = b"start"
_END = b"end "


def start(context: Any, arguments: child.Arguments) -> tuple[Any, socket.socket]:
    """Starts one; the process, and the socket that it is told by. It has no threads of the parent's to lose by forking."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    with theirs:
        process = context.Process(target=_serve, args=(theirs, arguments), name="frameshare-workers")
        started(process)
    return process, ours


def started(process: Any) -> None:
    """Starts a process that Ctrl-C does not reach, also while it imports: that is the parent's to answer."""
    # Started with the first process, it would unblock the signal before that.
    resource_tracker.ensure_running()
    with interrupts_held():
        process.start()


def ask_for_worker(server: socket.socket) -> None:
    server.send(_START)


def end_worker(server: socket.socket, pid: int) -> None:
    """Has one killed by the server, whose child it is: nobody else can have got its number."""
    server.send(_END + str(pid).encode())


def news(server: socket.socket) -> tuple[tuple[str, Any, Any], list[int]] | None:
    """What the server says, and the descriptors that come with it. None when it has ended."""
    try:
        data, fds, _, _ = socket.recv_fds(server, 1 << 16, 1, socket.MSG_CMSG_CLOEXEC)
    except ConnectionError:
        return None
    return (pickle.loads(data), fds) if data else None


def _serve(parent: socket.socket, arguments: child.Arguments) -> None:
    child.leave_interrupts_alone()
    watch = arguments.parent.descriptor
    with child.failures_told(parent):
        arguments.work["run"]  # imports all that the workers need
    context = multiprocessing.get_context("fork")
    workers: dict[int, Any] = {}  # by the pidfd that tells of their end, whatever children they leave
    while True:
        ready: list[Any] = connection.wait([parent, *workers, watch])
        for pidfd in [each for each in ready if each in workers]:
            process = workers.pop(pidfd)
            os.close(pidfd)
            process.join()
            try:
                parent.send(pickle.dumps(("ended", process.pid, process.exitcode)))
            except OSError:
                return  # the pool was closed
        if watch in ready:
            return
        if parent in ready:
            try:
                wanted = parent.recv(64)
            except ConnectionError:
                wanted = b""
            if not wanted:
                return  # the pool was closed
            if wanted.startswith(_END):
                for pidfd, process in workers.items():
                    if process.pid == int(wanted.removeprefix(_END)):
                        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                continue
            process = context.Process(target=child.main, args=(parent, arguments), name="frameshare-worker")
            process.start()
            assert process.pid is not None
            pidfd = os.pidfd_open(process.pid)
            workers[pidfd] = process
            socket.send_fds(parent, [pickle.dumps(("started", process.pid, None))], [pidfd])
