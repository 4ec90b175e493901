"""The right edge of the RFC 6962 tree, until kernelzone.chain is there."""

from __future__ import annotations

import hashlib


def leaf_hash(body: bytes) -> bytes:
    """Return SHA-256(00 || body)."""
    return hashlib.sha256(b"\x00" + body).digest()


class Frontier:
    """The roots of the full subtrees at the right edge, largest first."""

    def __init__(self, size: int, peaks: list[bytes]) -> None:
        self.size = size
        self.peaks = peaks

    @classmethod
    def from_bytes(cls, content: bytes) -> Frontier:
        size = int.from_bytes(content[:8], "big")
        return cls(size, [content[at : at + 32] for at in range(8, len(content), 32)])

    def to_bytes(self) -> bytes:
        return self.size.to_bytes(8, "big") + b"".join(self.peaks)

    def append(self, leaf: bytes) -> None:
        size, node = self.size, leaf
        while size & 1:
            node = hashlib.sha256(b"\x01" + self.peaks.pop() + node).digest()
            size >>= 1
        self.peaks.append(node)
        self.size += 1

    def root(self) -> bytes:
        if not self.peaks:
            return hashlib.sha256(b"").digest()
        node = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            node = hashlib.sha256(b"\x01" + peak + node).digest()
        return node
