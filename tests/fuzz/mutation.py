"""Octets that are nearly right: BER trees taken apart, changed in one place or more, and put together again."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

INTERESTING = [
    b"", b"\x00", b"\x7f", b"\x80", b"\xff", b"\x00\xff\xff\xff\xff", b"\x80" + bytes(16), bytes(64), b"$", b"/", b"@",
    b"..", b"../../etc/passwd", b"A" * 300, b"\xc3\x28", b"LLN0$", b"LLN0$$x", b"LLN0$BR", b"%s%n", b"\x00\x01\x00\x01\x61",
]  # fmt: skip
LYING_LENGTHS = [b"\x80", b"\xff", b"\x84\xff\xff\xff\xff", b"\x85" + bytes(5), b"\x00"]


@dataclass
class Tree:
    """One TLV; `children` where its contents are TLVs themselves."""

    tag: bytes
    contents: bytes = b""
    children: list[Tree] = field(default_factory=list)

    def octets(self, chance: random.Random | None = None) -> bytes:
        """Encoded; with `chance` now and then under a length that is not its own."""
        inside = b"".join(child.octets(chance) for child in self.children) if self.children else self.contents
        return self.tag + _length(len(inside), chance) + inside

    def every(self) -> list[Tree]:
        """This tree and all below it."""
        return [self, *(tree for child in self.children for tree in child.every())]


def _length(size: int, chance: random.Random | None) -> bytes:
    if chance is not None and chance.random() < 0.02:
        return chance.choice([*LYING_LENGTHS, bytes((min(size + 1, 127),))])
    if size < 128:
        return bytes((size,))
    return b"\x82" + size.to_bytes(2, "big") if size < 65_536 else b"\x84" + size.to_bytes(4, "big")


def parse(octets: bytes, depth: int = 0) -> list[Tree] | None:
    """The TLVs that fill `octets`; None if they are none."""
    trees, position = [], 0
    while position < len(octets):
        start = position
        position += 1
        if octets[start] & 0x1F == 0x1F:
            position += 1
        tag = octets[start:position]
        if position >= len(octets):
            return None
        size = octets[position]
        position += 1
        if size & 0x80:
            count = size & 0x7F
            if not 1 <= count <= 4:
                return None
            size = int.from_bytes(octets[position : position + count], "big")
            position += count
        contents = octets[position : position + size]
        position += size
        if position > len(octets):
            return None
        inner = parse(contents, depth + 1) if octets[start] & 0x20 and depth < 30 else None
        trees.append(Tree(tag, contents, inner or []))
    return trees


def mutated(octets: bytes, chance: random.Random) -> bytes:
    """`octets` changed: as a tree where they are one, octet by octet otherwise."""
    trees = parse(octets)
    if trees is None or chance.random() < 0.15:
        return _scrambled(octets, chance)
    root = Tree(b"", b"", trees)
    for _ in range(chance.randint(1, 3)):
        _change(root, chance)
    return b"".join(child.octets(chance) for child in root.children)


def _change(root: Tree, chance: random.Random) -> None:
    places = [tree for tree in root.every() if tree.tag]
    if not places:
        return
    tree = chance.choice(places)
    match chance.randrange(9):
        case 0:
            tree.tag = bytes((chance.randrange(256),))
        case 1:
            tree.contents, tree.children = chance.choice(INTERESTING), []
        case 2:
            tree.children = tree.children * 2 if tree.children else []
        case 3 if tree.children:
            tree.children.pop(chance.randrange(len(tree.children)))
        case 4:
            tree.children = [Tree(tree.tag, tree.contents, tree.children)]
        case 5:
            deep = b"\x85\x01\x01"
            for _ in range(chance.choice([5, 50, 500])):
                deep = b"\xa2" + _length(len(deep), None) + deep
            tree.contents, tree.children = deep, []
        case 6:
            tree.children = [Tree(b"\x85", b"\x01") for _ in range(chance.choice([10, 1000]))]
        case 7:
            chance.shuffle(tree.children)
        case _:
            tree.contents, tree.children = _scrambled(tree.contents, chance), []


def _scrambled(octets: bytes, chance: random.Random) -> bytes:
    changed = bytearray(octets)
    for _ in range(chance.randint(1, 4)):
        if not changed:
            return chance.randbytes(chance.randrange(40))
        at = chance.randrange(len(changed))
        match chance.randrange(4):
            case 0:
                changed[at] = chance.randrange(256)
            case 1:
                del changed[at:]
            case 2:
                changed[at:at] = chance.randbytes(chance.randrange(1, 9))
            case _:
                del changed[at]
    return bytes(changed)
