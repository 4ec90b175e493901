import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelzone import chain
from kernelzone.chain import Frontier

# Source: google/certificate-transparency, merkletree tests.
ENTRIES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [chain.leaf_hash(b"event %d" % number) for number in range(64)]


def recursive_root(entries):
    """RFC 6962, 2.1, as it is written there."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\0" + entries[0]).digest()
    split = 1
    while split * 2 < len(entries):
        split *= 2
    left, right = recursive_root(entries[:split]), recursive_root(entries[split:])
    return hashlib.sha256(b"\1" + left + right).digest()


@pytest.mark.parametrize("size", range(9))
def test_the_roots_of_the_certificate_transparency_vectors(size):
    assert chain.tree_root([chain.leaf_hash(entry) for entry in ENTRIES[:size]]).hex() == ROOTS[size]


def test_the_frontier_gives_the_root_of_the_definition_for_every_size_to_64():
    frontier, entries = Frontier(), []
    for number in range(65):
        assert frontier.root() == recursive_root(entries)
        assert len(frontier.nodes) == number.bit_count()
        entries.append(b"event %d" % number)
        frontier = frontier.append(chain.leaf_hash(entries[-1]))


def test_a_frontier_goes_on_from_where_it_was_stored():
    stored = Frontier()
    for leaf in LEAVES[:37]:
        stored = stored.append(leaf)

    again = Frontier.from_bytes(37, stored.to_bytes())

    assert again == stored
    assert again.append(LEAVES[37]).root() == chain.tree_root(LEAVES[:38])


@pytest.mark.parametrize(("size", "nodes"), [(0, b"x" * 32), (1, b""), (3, b"x" * 32), (1, b"x" * 31), (-1, b"")])
def test_a_stored_frontier_that_does_not_fit_its_size_is_refused(size, nodes):
    with pytest.raises(ValueError):
        Frontier.from_bytes(size, nodes)


def test_every_leaf_of_every_tree_to_33_is_shown_to_be_included_at_its_place_alone():
    for size in range(1, 34):
        root = chain.tree_root(LEAVES[:size])
        for index in range(size):
            proof = chain.inclusion_proof(LEAVES[:size], index)
            assert chain.is_included(LEAVES[index], index, size, proof, root)
            assert not chain.is_included(LEAVES[index], index, size, [*proof, root], root)
            assert not chain.is_included(LEAVES[(index + 1) % 64], index, size, proof, root)
            assert not proof or not chain.is_included(LEAVES[index], index, size, proof[:-1], root)
            assert not chain.is_included(LEAVES[index], size, size, proof, root)


def test_every_pair_of_trees_to_33_is_shown_to_be_consistent_and_a_fork_is_not():
    roots = [chain.tree_root(LEAVES[:size]) for size in range(34)]
    for new in range(34):
        for old in range(new + 1):
            proof = chain.consistency_proof(LEAVES[:new], old)
            assert chain.is_consistent(old, roots[old], new, roots[new], proof)
            assert not chain.is_consistent(old, b"x" * 32, new, roots[new], proof)
            assert old == 0 or not chain.is_consistent(old, roots[old], new, b"x" * 32, proof)
            assert not chain.is_consistent(old, roots[old], new, roots[new], [*proof, roots[new]])
            assert not proof or not chain.is_consistent(old, roots[old], new, roots[new], proof[:-1])


@given(st.integers(1, 20), st.data())
def test_a_changed_proof_shows_nothing(size, data):
    index = data.draw(st.integers(0, size - 1))
    proof = chain.inclusion_proof(LEAVES[:size], index)
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        bit = data.draw(st.integers(0, 255))
        changed = (int.from_bytes(proof[at]) ^ (1 << bit)).to_bytes(32)
        bad = [*proof[:at], changed, *proof[at + 1 :]]
        assert not chain.is_included(LEAVES[index], index, size, bad, chain.tree_root(LEAVES[:size]))


def test_proofs_of_what_is_not_there_are_refused():
    with pytest.raises(IndexError):
        chain.inclusion_proof(LEAVES[:3], 3)
    with pytest.raises(IndexError):
        chain.consistency_proof(LEAVES[:3], 4)
    assert not chain.is_included(LEAVES[0], 0, 2, [b"short"], chain.tree_root(LEAVES[:2]))
    assert not chain.is_consistent(3, LEAVES[0], 2, LEAVES[0], [])
