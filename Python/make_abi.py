"""make_abi.py HEADER OUTPUT: writes the cffi module `frameshare._abi` out of frameshare.h, the one source of the C face."""

import re
import sys

import cffi


def declarations(header: str) -> str:
    """The header's declarations as cffi reads them: no comments, no preprocessor, numbers for the macros."""
    text = re.sub(r"/\*.*?\*/", "", header, flags=re.S)
    numbers = dict(re.findall(r"^#define (FRAMESHARE_[A-Z_]+) (\d+)$", text, flags=re.M))
    text = text[: text.index("#define FRAMESHARE_INITIALISER")]
    text = re.sub(r'#ifdef __cplusplus\nextern "C" \{\n#endif', "", text)
    text = re.sub(r"^#.*$", "", text, flags=re.M)
    for name, number in numbers.items():
        text = re.sub(rf"\b{name}\b", number, text)
    return text


def main() -> None:
    header, output = sys.argv[1:]
    ffi = cffi.FFI()
    with open(header, encoding="utf-8") as file:
        ffi.cdef(declarations(file.read()))
    ffi.set_source("frameshare._abi", None)
    ffi.emit_python_code(output)


main()
