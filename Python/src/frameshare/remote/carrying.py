"""What workers are to run, carried to their processes."""

from __future__ import annotations

import pickle
import sys
from multiprocessing.reduction import ForkingPickler
from typing import Any

from .. import errors

_ADVICE = (
    "A worker is a process of its own: it imports the program's modules, and runs none of what stands under"
    ' if __name__ == "__main__":. Give it functions of a module; what one needs besides goes by'
    " functools.partial(run, model=model), or is made in the worker, by init. With cloudpickle installed, lambdas and"
    " functions within functions are carried too"
)


class Carried:
    """Functions and objects by name, pickled anew for each process that is started with them.

    Functions go by reference, as multiprocessing carries them. What can't go so, and what a program without a file has
    defined, is carried by value where cloudpickle is installed. Raises ``InvalidArgument`` with what to do.
    """

    def __init__(self, **things: Any) -> None:
        self._things: dict[str, Any] | None = things
        self._data = b""

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrived, (self._packed(),)

    def __getitem__(self, name: str) -> Any:
        """In the worker too, where what is needed for it is imported now."""
        if self._things is None:
            self._things = pickle.loads(self._data)
        return self._things[name]

    def _packed(self) -> bytes:
        assert self._things is not None
        by_value = False
        for name, thing in self._things.items():
            try:
                ForkingPickler.dumps(thing)
                by_value = by_value or (_of_main(thing) and not _main_can_be_imported())
            except Exception as error:
                by_value = True
                _by_value(name, thing, error)  # says which of them it is
        if by_value:
            return _by_value("the work", self._things, None)
        return bytes(ForkingPickler.dumps(self._things))


def _arrived(data: bytes) -> Carried:
    carried = Carried()
    carried._things, carried._data = None, data
    return carried


def _by_value(name: str, thing: Any, problem: Exception | None) -> bytes:
    reason = problem or "its module, __main__, is no file that a worker could import"
    try:
        import cloudpickle  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError:
        raise errors.InvalidArgument(f"{name}, {thing!r}, can't be pickled for a worker: {reason}. {_ADVICE}") from problem
    try:
        return bytes(cloudpickle.dumps(thing))
    except Exception as error:
        raise errors.InvalidArgument(f"{name}, {thing!r}, can't be pickled for a worker: {error}. {_ADVICE}") from error


def _of_main(thing: Any) -> bool:
    while hasattr(thing, "func"):  # functools.partial
        thing = thing.func
    owner = getattr(thing, "__self__", thing)
    return "__main__" in (getattr(thing, "__module__", None), getattr(type(owner), "__module__", None))


def _main_can_be_imported() -> bool:
    main = sys.modules["__main__"]
    return getattr(main, "__spec__", None) is not None or getattr(main, "__file__", None) is not None


def explained(error: BaseException) -> BaseException:
    """An exception of a worker's, with what to do where the reason is that it is another process."""
    text = str(error)
    if isinstance(error, NameError) and "not defined" in text:
        error.add_note(f"If the program sets '{error.name}': {_ADVICE}.")
    elif isinstance(error, ValueError) and "read-only" in text and len(error.args) == 1:
        error.args = (
            f"{text}: this is the camera's own memory. request.make_array(name) gives a copy to write to;"
            " with RemoteMappedArray(request, name, copy=True), what is written is also what request.save() saves",
        )
    return error
