"""The Merkle tree of the history: leaf and node hashes, the frontier that appends, and proofs.

Source: RFC 6962, section 2.1 (hashes, audit paths, consistency proofs); RFC 9162, sections 2.1.3.2 and 2.1.4.2
(verification).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """Return SHA-256(00 || entry), 32 bytes."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(01 || left || right), 32 bytes."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True)
class Frontier:
    """What an append needs to know of a tree of `size` leaves.

    nodes: the roots of its full subtrees, largest first, one for each 1 in the binary form of `size`.
    """

    size: int = 0
    nodes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.nodes) != self.size.bit_count():
            raise ValueError("a frontier has one node for each 1 in the binary form of its size")
        if any(len(node) != HASH_BYTES for node in self.nodes):
            raise ValueError("a node of a frontier has 32 bytes")

    def append(self, leaf: bytes) -> Frontier:
        """Return the frontier with one more leaf, given by its `leaf_hash`. Hashes O(log n)."""
        nodes = [*self.nodes, leaf]
        size = self.size
        while size & 1:
            right, left = nodes.pop(), nodes.pop()
            nodes.append(node_hash(left, right))
            size >>= 1
        return Frontier(self.size + 1, tuple(nodes))

    def root(self) -> bytes:
        """Return the root of the tree, that of the empty tree included."""
        if not self.nodes:
            return EMPTY_ROOT
        *left, root = self.nodes
        for node in reversed(left):
            root = node_hash(node, root)
        return root

    def to_bytes(self) -> bytes:
        """Return the nodes one behind the other: 32 bytes each; the size is kept beside it."""
        return b"".join(self.nodes)

    @classmethod
    def from_bytes(cls, size: int, nodes: bytes) -> Frontier:
        """Return the frontier `to_bytes` came from. Raises: ValueError when the length does not fit the size."""
        parts = [nodes[at : at + HASH_BYTES] for at in range(0, len(nodes), HASH_BYTES)]
        return cls(size, tuple(parts))


def tree_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes, as appending them one by one gives it."""
    frontier = Frontier()
    for leaf in leaves:
        frontier = frontier.append(leaf)
    return frontier.root()


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the audit path of leaf `index` in the tree over the leaf hashes, from the leaf upwards.

    Raises: IndexError.
    """
    if not 0 <= index < len(leaves):
        raise IndexError("the tree has no such leaf")
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*inclusion_proof(leaves[:split], index), tree_root(leaves[split:])]
    return [*inclusion_proof(leaves[split:], index - split), tree_root(leaves[:split])]


def is_included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Return whether `proof` shows the leaf hash at `index` of the tree of `size` leaves with this root."""
    if not 0 <= index < size or not _are_hashes(proof):
        return False
    place, last, computed = index, size - 1, leaf
    for node in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            computed = node_hash(node, computed)
            place, last = _past_left_edge(place, last)
        else:
            computed = node_hash(computed, node)
        place, last = place >> 1, last >> 1
    return last == 0 and computed == root


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> list[bytes]:
    """Return the proof that the tree over `leaves` extends the tree over its first `old_size` ones.

    Empty for `old_size` 0 and for equal sizes. Raises: IndexError.
    """
    if not 0 <= old_size <= len(leaves):
        raise IndexError("the tree never had that size")
    return [] if old_size == 0 else _subproof(leaves, old_size, is_whole=True)


def is_consistent(old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Return whether `proof` shows that the tree (new) extends the tree (old)."""
    if not 0 <= old_size <= new_size or not _are_hashes(proof):
        return False
    if old_size == new_size:
        return not proof and old_root == new_root
    if old_size == 0:
        return not proof and old_root == EMPTY_ROOT
    path = [old_root, *proof] if old_size.bit_count() == 1 else list(proof)
    return bool(path) and _follow(old_size, new_size, path) == (old_root, new_root)


def _follow(old_size: int, new_size: int, path: list[bytes]) -> tuple[bytes, bytes] | None:
    """Return (old root, new root) as the path computes them, None when its length does not fit the sizes."""
    place, last = old_size - 1, new_size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old = new = path[0]
    for node in path[1:]:
        if last == 0:
            return None
        if place & 1 or place == last:
            old, new = node_hash(node, old), node_hash(node, new)
            place, last = _past_left_edge(place, last)
        else:
            new = node_hash(new, node)
        place, last = place >> 1, last >> 1
    return (old, new) if last == 0 else None


def _past_left_edge(place: int, last: int) -> tuple[int, int]:
    """Climb while the node is the right end of the tree and has no sibling."""
    while not place & 1 and place:
        place, last = place >> 1, last >> 1
    return place, last


def _subproof(leaves: Sequence[bytes], old_size: int, *, is_whole: bool) -> list[bytes]:
    if old_size == len(leaves):
        return [] if is_whole else [tree_root(leaves)]
    split = _split(len(leaves))
    if old_size <= split:
        return [*_subproof(leaves[:split], old_size, is_whole=is_whole), tree_root(leaves[split:])]
    return [*_subproof(leaves[split:], old_size - split, is_whole=False), tree_root(leaves[:split])]


def _split(size: int) -> int:
    """Return the largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def _are_hashes(proof: Sequence[bytes]) -> bool:
    return all(len(node) == HASH_BYTES for node in proof)
