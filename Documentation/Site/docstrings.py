"""What the package's docstrings have that the site's generator does not see by itself.

Examples after >>> become blocks of code. A comment #: above an attribute is its docstring. What the extension says of its types
stands in its C source, while _native.pyi has the types alone: both are put together here.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any

import griffe

EXAMPLE = re.compile(r"(^ *>>> .*\n?(?:^ *(?:>>>|\.\.\.).*\n?)*)", re.M)
TABLE = re.compile(r"static Py(?:MethodDef|GetSetDef|MemberDef|Type_Slot) (\w+)\[\] = \{\n(.*?)\n\};", re.S)
SPEC = re.compile(r"static PyType_Spec \w+ = \{(.*?)\n\};", re.S)
#: What a table has for one member: up to the next entry.
ENTRY = re.compile(r"^    \{ (\"?\w+\"?),(.*?)(?=^    \{ |\Z)", re.M | re.S)
STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
#: "next(timeout=None) -> Frame | None", which the stubs say better.
SIGNATURE = re.compile(r"^\w+\([^\n]*\n\n")


class Docstrings(griffe.Extension):
    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is None and ("._native." in obj.path) and (said := of_extension(obj)):
            obj.docstring = griffe.Docstring(said, parent=obj)
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


def of_extension(obj: griffe.Object) -> str:
    """What the C source says of a type or a member of one: "Frame", "Frame.number"."""
    return extension(Path(str(obj.filepath)).parents[1] / "extension").get(obj.path.split("._native.")[1], "")


@cache
def extension(folder: Path) -> dict[str, str]:
    said: dict[str, str] = {}
    for source in sorted(folder.glob("*.c")):
        text = source.read_text()
        tables = {name: dict(ENTRY.findall(body)) for name, body in TABLE.findall(text)}
        for spec in SPEC.findall(text):
            name = re.search(r'\.name = "[\w.]*\.(\w+)"', spec)
            slots = re.search(r"\.slots = (\w+)", spec)
            if not name or not slots or slots[1] not in tables:
                continue
            for slot, value in tables[slots[1]].items():
                if slot == "Py_tp_doc":
                    said[name[1]] = spelled(value)
                for member, entry in tables.get(value.strip(" },\n"), {}).items():
                    if words := spelled(entry):
                        said[f"{name[1]}.{member.strip(chr(34))}"] = SIGNATURE.sub("", words)
    return said


def spelled(c: str) -> str:
    """The text of C's string literals, one after another."""
    text = "".join(STRING.findall(c))
    return text.replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\")
