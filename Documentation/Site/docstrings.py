"""What the package's docstrings have that Markdown does not: examples after >>>, and the comments #: of attributes."""

import re
from typing import Any

import griffe

EXAMPLE = re.compile(r"(^ *>>> .*\n?(?:^ *(?:>>>|\.\.\.).*\n?)*)", re.M)


class Docstrings(griffe.Extension):
    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            # Without the prompts: what can be copied.
            obj.docstring.value = EXAMPLE.sub(lambda match: f"\n```python\n{plain(match[1])}\n```\n", obj.docstring.value)

    def on_attribute_instance(self, *, attr: griffe.Attribute, **_: Any) -> None:
        if attr.docstring is not None or attr.lineno is None:
            return
        lines, comment = attr.lines_collection[attr.filepath], []
        for line in reversed(lines[: attr.lineno - 1]):
            if not line.strip().startswith("#:"):
                break
            comment.insert(0, line.strip().removeprefix("#:").strip())
        if comment:
            attr.docstring = griffe.Docstring(" ".join(comment), parent=attr)


def plain(example: str) -> str:
    return "\n".join(re.sub(r"^ *(>>>|\.\.\.) ?", "", line) for line in example.rstrip("\n").splitlines())
