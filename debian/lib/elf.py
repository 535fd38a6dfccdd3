"""As much of the ELF format as packaging needs.

Reads 64-bit little-endian files, which is what Debian's current architectures
for servers are (amd64, arm64, ppc64el, riscv64); others are reported as such.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path

_LOAD, _DYNAMIC, _INTERP = 1, 2, 3
_NULL, _NEEDED, _STRTAB, _SONAME, _RPATH, _RUNPATH = 0, 1, 5, 14, 15, 29
_HEADER = struct.Struct("<16xHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
ENTRY = struct.Struct("<qQ")
# e_shoff; e_shentsize, e_shnum and e_shstrndx: where the section table is,
# which says nothing about what is loaded.
_SECTION_FIELDS = ((0x28, 0x30), (0x3A, 0x40))


@dataclass(frozen=True)
class Segment:
    """An entry of the program header table: what the loader acts on."""

    kind: int
    flags: int
    offset: int
    address: int
    file_size: int
    memory_size: int
    align: int

    def holds(self, address: int) -> bool:
        return self.address <= address < self.address + self.file_size


@dataclass(frozen=True)
class Entry:
    """An entry of the dynamic section, and where in the file it is."""

    offset: int
    tag: int
    value: int


@dataclass(frozen=True)
class Image:
    """What the loader makes of a file: headers and the bytes of each load."""

    table: int
    segments: tuple[tuple[int, ...], ...]
    digests: tuple[str, ...]
    mappable: bool


def is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def supported(data: bytes) -> bool:
    """Whether it is of the kind this module reads: 64 bits, little-endian."""
    return data[:4] == b"\x7fELF" and data[4:6] == b"\x02\x01"


def segments(data: bytes) -> tuple[int, int, list[Segment]]:
    """Offset and end of the program header table, and its entries."""
    _, _, _, _, table, _, _, _, size, count, *_ = _HEADER.unpack_from(data)
    found = []
    for index in range(count):
        kind, flags, offset, address, _, file_size, memory_size, align = _SEGMENT.unpack_from(
            data, table + index * size
        )
        found.append(Segment(kind, flags, offset, address, file_size, memory_size, align))
    return table, table + size * count, found


def image(data: bytes) -> Image:
    """Everything of a file that has an effect once it is loaded.

    Two files with equal images run alike: same segments at the same addresses
    with the same bytes. Left out is only what a tool may rewrite when it
    moves parts of the file about: file offsets and the section table.
    """
    table, end, found = segments(data)
    masked = bytearray(data)
    for start, stop in (*_SECTION_FIELDS, (table, end)):
        masked[start:stop] = bytes(stop - start)
    loads = [segment for segment in found if segment.kind == _LOAD]
    return Image(
        table=table,
        segments=tuple(
            (seg.kind, seg.flags, seg.address, seg.file_size, seg.memory_size, seg.align)
            for seg in found
        ),
        digests=tuple(
            hashlib.sha256(masked[seg.offset : seg.offset + seg.file_size]).hexdigest()
            for seg in loads
        ),
        mappable=all(
            seg.align <= 1 or seg.offset % seg.align == seg.address % seg.align for seg in loads
        ),
    )


def is_program(data: bytes) -> bool:
    """Whether the kernel can start it: it names its loader, which a library does not."""
    return any(segment.kind == _INTERP for segment in segments(data)[2])


def dynamic_section(data: bytes) -> Segment:
    """Where the dynamic section is; empty in a file that has none."""
    _, _, found = segments(data)
    empty = Segment(_DYNAMIC, 0, 0, 0, 0, 0, 0)
    return next((segment for segment in found if segment.kind == _DYNAMIC), empty)


def _entries(data: bytes) -> list[Entry]:
    """The entries of the dynamic section."""
    section = dynamic_section(data)
    found = []
    for offset in range(section.offset, section.offset + section.file_size, ENTRY.size):
        tag, value = ENTRY.unpack_from(data, offset)
        if tag == _NULL:
            break
        found.append(Entry(offset, tag, value))
    return found


def _strings(data: bytes, tags: tuple[int, ...]) -> list[tuple[Entry, str]]:
    """The entries with one of the tags, and the string that each stands for."""
    entries = _entries(data)
    table = next((entry.value for entry in entries if entry.tag == _STRTAB), None)
    if table is None:
        return []
    # The table's address is one of memory; a load says where that is in the file.
    _, _, found = segments(data)
    home = next(seg for seg in found if seg.kind == _LOAD and seg.holds(table))
    base = table - home.address + home.offset
    return [
        (entry, data[base + entry.value : data.index(b"\0", base + entry.value)].decode())
        for entry in entries
        if entry.tag in tags
    ]


def needed(data: bytes) -> list[str]:
    """The libraries that a file asks for."""
    return [text for _, text in _strings(data, (_NEEDED,))]


def soname(data: bytes) -> str | None:
    """The name under which others ask for this library."""
    return next((text for _, text in _strings(data, (_SONAME,))), None)


def search_paths(data: bytes) -> list[tuple[Entry, str]]:
    """Its RPATH and RUNPATH entries, each a list separated by colons."""
    return _strings(data, (_RPATH, _RUNPATH))
