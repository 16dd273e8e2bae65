"""Writes src/spanforge/base/unprintable_table.cpp: code points that Python's repr() escapes.

Run with the Python whose repr() is to be matched (made with 3.11, Unicode 14):
    python3 tools/make_unprintable_table.py > src/spanforge/base/unprintable_table.cpp
"""
import sys
import unicodedata

ranges = []
first = None
for code_point in range(0x110000):
    if chr(code_point).isprintable():
        if first is not None:
            ranges.append((first, code_point - 1))
            first = None
    elif first is None:
        first = code_point
if first is not None:
    ranges.append((first, 0x10FFFF))

cells = [f"{{0x{a:X}, 0x{b:X}}}" for a, b in ranges]
lines, line = [], "   "
for cell in cells:
    if len(line) + len(cell) + 2 > 100:
        lines.append(line)
        line = "   "
    line += f" {cell},"
lines.append(line)
print(f"""// Made by tools/make_unprintable_table.py with Python {sys.version.split()[0]} \
(Unicode {unicodedata.unidata_version}); not edited by hand.
#include "spanforge/base/unprintable_table.h"

namespace spanforge {{
// clang-format off
const CodePointRange kUnprintable[] = {{
{chr(10).join(lines)}
}};
// clang-format on
const size_t kUnprintableCount = sizeof kUnprintable / sizeof kUnprintable[0];
}}  // namespace spanforge""")
