from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.evidence.tree import LinesRetired, MerkleTree, TreeRoot, hash_leaf, hash_node

SIZES = st.integers(1, 70)


def tree(count: int) -> MerkleTree:
    made = MerkleTree()
    for number in range(count):
        made.add(b"line %d\n" % number)
    return made


def is_included(entry: bytes, index: int, size: int, path: list[bytes], root: bytes) -> bool:
    """RFC 9162, section 2.1.3.2, to the letter."""
    if index >= size:
        return False
    fn, sn, found = index, size - 1, hash_leaf(entry)
    for hashed in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            found = hash_node(hashed, found)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            found = hash_node(found, hashed)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and found == root


def is_beginning(first: int, second: int, roots: tuple[bytes, bytes], proof: list[bytes]) -> bool:
    """RFC 9162, section 2.1.4.2, to the letter."""
    if first == second:
        return not proof and roots[0] == roots[1]
    if not proof:
        return False
    hashes = [roots[0], *proof] if first & (first - 1) == 0 else proof
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = hashes[0]
    for hashed in hashes[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = hash_node(hashed, fr), hash_node(hashed, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = hash_node(sr, hashed)
        fn, sn = fn >> 1, sn >> 1
    return (fr, sr, sn) == (*roots, 0)


def test_the_roots_are_those_of_the_vectors_that_others_use() -> None:
    """The inputs and roots of the tests of Certificate Transparency (certificate-transparency-go, merkletree)."""
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ]
    made = MerkleTree()
    assert made.root() == hashlib.sha256().digest()
    for entry, root in zip(inputs, roots, strict=True):
        made.add(bytes.fromhex(entry))
        assert made.root().hex() == root


@given(st.data(), SIZES)
def test_each_leaf_is_proven_to_be_in_the_tree_and_no_other_in_its_place(data: st.DataObject, size: int) -> None:
    made, index = tree(size), data.draw(st.integers(0, size - 1))
    path, root = made.inclusion(index), made.root()
    assert is_included(b"line %d\n" % index, index, size, path, root)
    assert not is_included(b"another\n", index, size, path, root)
    other = data.draw(st.integers(0, size - 1))
    assert other == index or not is_included(b"line %d\n" % index, other, size, path, root)


@given(st.data(), SIZES)
def test_a_tree_is_proven_to_begin_with_each_smaller_one(data: st.DataObject, size: int) -> None:
    former = data.draw(st.integers(1, size))
    before, made = tree(former), tree(size)
    proof = made.consistency(former)
    assert is_beginning(former, size, (before.root(), made.root()), proof)
    assert not is_beginning(former, size, (hashlib.sha256(b"x").digest(), made.root()), proof)


@given(st.data(), SIZES)
def test_a_tree_of_which_the_beginning_was_retired_proves_the_same_of_the_rest(data: st.DataObject, size: int) -> None:
    retired = data.draw(st.integers(0, size))
    whole, made = tree(size), MerkleTree(retired, tree(retired).subtrees())
    for number in range(retired, size):
        made.add(b"line %d\n" % number)
    assert (made.size, made.root(), made.subtrees()) == (size, whole.root(), whole.subtrees())
    for index in range(retired, size):
        assert made.inclusion(index) == whole.inclusion(index)
    for index in range(retired):
        with pytest.raises(LinesRetired):
            made.inclusion(index)
    for former in range(max(1, retired), size + 1):
        assert made.consistency(former) == whole.consistency(former)


def test_what_is_not_in_the_tree_is_not_proven() -> None:
    made = tree(5)
    for index in (-1, 5):
        with pytest.raises(ValueError, match="there is no leaf"):
            made.inclusion(index)
    for former in (0, 6):
        with pytest.raises(ValueError, match="no beginning"):
            made.consistency(former)
    with pytest.raises(ValueError, match="whole subtrees"):
        MerkleTree(3, [bytes(32)])


@given(st.integers(0, 70), st.integers(0, 70))
def test_the_root_alone_is_that_of_the_tree_also_behind_what_was_retired(retired: int, more: int) -> None:
    whole = tree(retired + more)
    root = TreeRoot(retired, tree(retired).subtrees())
    for number in range(retired, retired + more):
        root.add(b"line %d\n" % number)
    assert (root.size, root.root()) == (whole.size, whole.root())
    with pytest.raises(ValueError, match="whole subtrees"):
        TreeRoot(retired, [*tree(retired).subtrees(), b""])
