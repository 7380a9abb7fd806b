"""Builds the wheel: the extension in C, and the C library beside it (Scripts/build-python-wheel).

The extension keeps to Python's stable ABI: one wheel serves every CPython from 3.11 on. FRAMESHARE_STAGE is the folder with the
C library's include and lib.
"""

import glob
import os
import re

import numpy
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

STAGE = os.environ["FRAMESHARE_STAGE"]

#: The structs of frameshare.h whose members Python knows by name.
STRUCTS = (
    "ask_options",
    "channel_entry",
    "channel_statistics",
    "control",
    "copy_options",
    "copy_statistics",
    "group_status",
    "overlay_options",
    "publisher_options",
    "results_options",
    "subscriber_options",
    "subscriber_statistics",
    "subscriber_status",
)
KINDS = {"uint8_t": "U8", "uint32_t": "U32", "int32_t": "I32", "uint64_t": "U64", "int64_t": "I64", "const char *": "TEXT", "double": "F64"}


def member_tables(header):
    """C tables of the structs' members: what frameshare.h has of numbers and texts, Python has, too."""
    text = re.sub(r"/\*.*?\*/", "", header, flags=re.S)
    lines = ["/* Written by setup.py out of frameshare.h. */"]
    for name in STRUCTS:
        body = re.search(rf"^struct frameshare_{name} \{{(.*?)^\}};", text, flags=re.S | re.M).group(1)
        lines.append(f"__attribute__((unused)) static const Member {name}_members[] = {{")
        for type_name, member, size in re.findall(r"^\s*([a-z0-9_ ]+ \*?)(\w+)(\[\w+\])?;", body, flags=re.M):
            type_name = type_name.strip()
            kind = "CHARS" if type_name == "char" and size else None if size else KINDS.get(type_name)
            if kind is None or member in ("struct_size", "allowed_user_count"):
                continue
            place = f"offsetof(struct frameshare_{name}, {member})"
            lines.append(f'    {{ "{member}", MEMBER_{kind}, {place}, sizeof(((struct frameshare_{name} *)0)->{member}) }},')
        lines += ["    { NULL, MEMBER_U8, 0, 0 },", "};"]
    return "\n".join(lines) + "\n"


class BuildExtension(build_ext):
    def run(self):
        with open(os.path.join(STAGE, "include", "frameshare.h"), encoding="utf-8") as header:
            tables = member_tables(header.read())
        os.makedirs(self.build_temp, exist_ok=True)
        with open(os.path.join(self.build_temp, "members.h"), "w", encoding="utf-8") as file:
            file.write(tables)
        for extension in self.extensions:
            extension.include_dirs.append(self.build_temp)
        super().run()


native = Extension(
    "frameshare._native",
    sources=sorted(glob.glob("src/extension/*.c")),
    depends=glob.glob("src/extension/*.h"),
    include_dirs=[os.path.join(STAGE, "include"), numpy.get_include()],
    define_macros=[("Py_LIMITED_API", "0x030B0000"), ("NPY_TARGET_VERSION", "NPY_1_22_API_VERSION")],
    extra_compile_args=["-std=gnu11", "-O2", "-fvisibility=hidden", "-Wall", "-Wextra", "-Wno-cast-function-type"]
    + os.environ.get("FRAMESHARE_EXTENSION_FLAGS", "").split(),
    extra_link_args=["-L" + os.path.join(STAGE, "lib"), "-l:libframeshare.so.0", "-Wl,-rpath,$ORIGIN"]
    + os.environ.get("FRAMESHARE_EXTENSION_FLAGS", "").split(),
    py_limited_api=True,
)

setup(
    # That of the C header.
    version=os.environ["FRAMESHARE_VERSION"],
    ext_modules=[native],
    cmdclass={"build_ext": BuildExtension},
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
