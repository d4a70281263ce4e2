"""The byte store."""

from __future__ import annotations

import hashlib
import stat
import threading
from pathlib import Path

import pytest

from orchestration.artifacts import ArtifactDamaged, ArtifactMissing, ArtifactStore

pytestmark = pytest.mark.pure


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts")


def test_bytes_come_back_by_their_hash(store: ArtifactStore) -> None:
    stored = store.put(b"hello")

    assert (stored.sha256, stored.size) == (hashlib.sha256(b"hello").hexdigest(), 5)
    with store.open(stored.sha256) as file:
        assert file.read() == b"hello"
    store.verify(stored.sha256, 5)


def test_the_same_bytes_are_held_once(store: ArtifactStore) -> None:
    first, second = store.put(b"same"), store.put(b"same")

    assert first == second
    assert len([path for path in store.root.rglob("*") if path.is_file()]) == 1


def test_a_file_is_copied_or_taken_over(store: ArtifactStore, tmp_path: Path) -> None:
    (tmp_path / "copied").write_bytes(b"a" * 3_000_000)
    (tmp_path / "taken").write_bytes(b"b")

    copied, taken = store.put_file(tmp_path / "copied"), store.adopt(tmp_path / "taken")

    assert (tmp_path / "copied").exists()
    assert not (tmp_path / "taken").exists()
    assert (store.read(copied.sha256, 10), store.read(taken.sha256, 10)) == (b"a" * 10, b"b")


def test_what_is_stored_can_not_be_written(store: ArtifactStore) -> None:
    assert stat.S_IMODE(store.path(store.put(b"x").sha256).stat().st_mode) == 0o400


@pytest.mark.parametrize("damage", [b"hellO", b"hell", b""])
def test_damage_is_noticed_and_the_next_put_repairs_it(store: ArtifactStore, damage: bytes) -> None:
    stored = store.put(b"hello")
    store.path(stored.sha256).chmod(0o600)
    store.path(stored.sha256).write_bytes(damage)

    with pytest.raises(ArtifactDamaged):
        store.verify(stored.sha256, 5)

    store.put(b"hello")
    store.verify(stored.sha256, 5)


@pytest.mark.parametrize("name", ["0" * 64, "../../etc/passwd", "", "A" * 64])
def test_a_hash_that_names_nothing_opens_nothing(store: ArtifactStore, name: str) -> None:
    with pytest.raises(ArtifactMissing):
        store.open(name)


def test_many_writers_of_the_same_bytes_do_not_disturb_each_other(store: ArtifactStore) -> None:
    threads = [threading.Thread(target=store.put, args=(b"x" * 100_000,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    store.verify(hashlib.sha256(b"x" * 100_000).hexdigest(), 100_000)
    assert list((store.root / "incoming").iterdir()) == []
