"""What workers are to run, carried to their processes."""

from __future__ import annotations

import ast
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

    Functions go by reference, as multiprocessing carries them. What can't go so, and what a program has defined under its
    guard or without a file, is carried by value where cloudpickle is installed. Raises ``InvalidArgument`` with what to do.
    """

    def __init__(self, **things: Any) -> None:
        self._things: dict[str, Any] | None = things
        self._data = b""

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrived, (self._packed(),)

    def __getitem__(self, name: str) -> Any:
        """In the worker too, where what is needed for it is imported now."""
        if self._things is None:
            things: dict[str, Any] = pickle.loads(self._data)
            self._things = things
        return self._things[name]

    def _packed(self) -> bytes:
        assert self._things is not None
        by_value = False
        for name, thing in self._things.items():
            problem: Exception | None = None
            try:
                ForkingPickler.dumps(thing)
            except Exception as error:
                problem = error
            if problem is not None or _is_beyond_import(thing):
                by_value = True
                _by_value(name, thing, problem)  # says which of them it is
        if by_value:
            return _by_value("the work", self._things, None)
        return bytes(ForkingPickler.dumps(self._things))


def _arrived(data: bytes) -> Carried:
    carried = Carried()
    carried._things, carried._data = None, data
    return carried


def _by_value(name: str, thing: Any, problem: Exception | None) -> bytes:
    reason = problem or "a worker can't import it: it stands under the guard, or in a program without a file"
    try:
        import cloudpickle  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError:
        raise errors.InvalidArgument(f"{name}, {thing!r}, can't be pickled for a worker: {reason}. {_ADVICE}") from problem
    try:
        return bytes(getattr(cloudpickle, "dumps")(thing))
    except Exception as error:
        raise errors.InvalidArgument(f"{name}, {thing!r}, can't be pickled for a worker: {error}. {_ADVICE}") from error


def unpicklable(arguments: dict[str, Any], problem: Exception) -> errors.InvalidArgument:
    """Says which of a request's arguments can't travel, and what to do."""
    bad = [name for name, value in arguments.items() if not _can_travel(value)]
    return errors.InvalidArgument(
        f"the arguments of a request can't be pickled for a worker ({', '.join(bad) or 'all'}): {problem}. Give it plain values,"
        " arrays, and functions and objects of a module's own"
    )


def _can_travel(value: Any) -> bool:
    try:
        pickle.dumps(value, protocol=5, buffer_callback=lambda _: None)
        return True
    except Exception:
        return False


def _is_beyond_import(thing: Any) -> bool:
    """Whether it is of the program itself, and not there where a worker has imported that."""
    while hasattr(thing, "func"):  # functools.partial
        thing = thing.func
    owner = getattr(thing, "__self__", thing)
    for each in (thing, owner if isinstance(owner, type) else type(owner)):
        if getattr(each, "__module__", None) == "__main__":
            main = sys.modules["__main__"]
            if getattr(main, "__spec__", None) is None and getattr(main, "__file__", None) is None:
                return True
            if getattr(each, "__qualname__", "").partition(".")[0] in _names_under_guard(main):
                return True
    return False


def _names_under_guard(main: Any) -> set[str]:
    """What a program defines under ``if __name__ == "__main__":`` alone."""
    try:
        with open(main.__file__, "rb") as source:
            statements = ast.parse(source.read()).body
    except (AttributeError, OSError, SyntaxError, TypeError, ValueError):
        return set()
    guarded: set[str] = set()
    free: set[str] = set()
    for statement in statements:
        if isinstance(statement, ast.If) and {"__name__", "__main__"} <= set(_words(statement.test)):
            guarded.update(_defined(statement.body))
            free.update(_defined(statement.orelse))
        else:
            free.update(_defined([statement]))
    return guarded - free


def _words(test: ast.expr) -> list[Any]:
    return [getattr(node, "id", getattr(node, "value", None)) for node in ast.walk(test) if isinstance(node, (ast.Name, ast.Constant))]


def _defined(statements: list[ast.stmt]) -> list[str]:
    """The names of functions and classes, not of those within them."""
    names: list[str] = []
    left = list[ast.AST](statements)
    while left:
        node = left.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.append(node.name)
        else:
            left += ast.iter_child_nodes(node)
    return names


def explained(error: BaseException) -> BaseException:
    """An exception of a worker's, with what to do where the reason is that it is another process."""
    text = str(error)
    if isinstance(error, NameError) and "not defined" in text:
        error.add_note(f"If the program sets '{error.name}': {_ADVICE}.")
    elif isinstance(error, AttributeError) and text.startswith("Can't get attribute") and "__mp_main__" in text:
        error.add_note(f"The program does not define it where it is imported: {_ADVICE}.")
    elif isinstance(error, ValueError) and "read-only" in text and len(error.args) == 1:
        error.args = (
            f"{text}: this is the camera's own memory. request.make_array(name) gives a copy to write to;"
            " with RemoteMappedArray(request, name, copy=True), what is written is also what request.save() saves",
        )
    return error
