"""A ledger that is not what was written is noticed and said, never read as headroom."""

import random
import shutil
from collections import Counter
from pathlib import Path

import pytest

from spendgate.stores.sqlite import SqliteStore
from tests.stores.faults.images import Image, flip, image, notices, truncate
from tests.stores.faults.ledgers import begin, book

LOG, FILE, HEAD = "ledger.db-wal", "ledger.db", "ledger.db.head"


class Images:
    """The same ledger three times, and as it was before."""

    def __init__(self, folder: Path) -> None:
        path = folder / FILE
        begin(path)
        store = SqliteStore(path)
        book(store, 20)
        self.before = image(store, folder / "before")
        store._tables.connection.wal_checkpoint()
        book(store, 10, first=20)
        self.mixed = image(store, folder / "mixed")
        """Some in the file, some in the log."""
        store._tables.connection.wal_checkpoint()
        self.filed = image(store, folder / "filed")
        """All in the file, and nothing in the log that counts."""
        store.close()
        self.closed = Image(folder / "closed", self.filed.entries, self.filed.standings)
        """The file alone."""
        self.closed.folder.mkdir()
        for name in (FILE, HEAD):
            shutil.copyfile(folder / name, self.closed.folder / name)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Images:
    """Made once for all proofs of this file; each works on copies."""
    return Images(tmp_path_factory.mktemp("images"))


def test_an_image_is_whole(tmp_path: Path, images: Images) -> None:
    """The copies that these proofs harm are whole before: nobody notices anything, and nothing is missing."""
    for name in ("before", "mixed", "filed", "closed"):
        whole = getattr(images, name)
        assert notices(whole.copy(tmp_path / name), whole) == ""


def flips(folder: Path, whole: Image, name: str, seed: int, count: int) -> Counter[str]:
    """Where so many flips, each in a copy of its own, were noticed."""
    chance, found = random.Random(seed), Counter[str]()
    for _ in range(count):
        path = whole.copy(folder)
        flip(folder / name, chance.randrange(1 << 30), 1 << chance.randrange(8))
        found[notices(path, whole)] += 1
        shutil.rmtree(folder)
    return found


@pytest.mark.parametrize(("kind", "name"), [("mixed", LOG), ("mixed", FILE), ("closed", FILE), ("mixed", HEAD)])
def test_flipped_bits_are_noticed(tmp_path: Path, images: Images, kind: str, name: str) -> None:
    """Whichever bit of a ledger's files flips: it is noticed, or nothing is missing."""
    found = flips(tmp_path / "flipped", getattr(images, kind), name, seed=1, count=60)
    assert found.total() == 60
    assert found["opening"] + found["deciding"] + found["checking"] > 0


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 8))
@pytest.mark.parametrize(("kind", "name"), [("mixed", LOG), ("mixed", FILE), ("closed", FILE), ("mixed", HEAD)])
def test_flipped_bits_are_always_noticed(tmp_path: Path, images: Images, seed: int, kind: str, name: str) -> None:
    """However many bits are tried: each is noticed, or nothing is missing."""
    assert flips(tmp_path / "flipped", getattr(images, kind), name, seed, count=300).total() == 300


@pytest.mark.parametrize("name", [LOG, FILE, HEAD])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_noticed(tmp_path: Path, images: Images, name: str, share: float) -> None:
    """A log, file or head file that was cut off is noticed, unless only what no longer counts went."""
    path = images.mixed.copy(tmp_path / "cut")
    truncate(tmp_path / "cut" / name, int((images.mixed.folder / name).stat().st_size * share))
    assert notices(path, images.mixed) or (name != HEAD and share >= 0.5)


@pytest.mark.parametrize("names", [(FILE,), (LOG,), (FILE, LOG)], ids="+".join)
@pytest.mark.parametrize("kind", ["mixed", "filed"])
def test_a_restored_backup_is_noticed(tmp_path: Path, images: Images, kind: str, names: tuple[str, ...]) -> None:
    """Files of an older ledger beside the newest head file are noticed, unless the others still have everything."""
    whole = getattr(images, kind)
    path = whole.copy(tmp_path / "restored")
    images.before.copy(tmp_path / "restored", *names)
    assert notices(path, whole) or (kind, names) == ("filed", (LOG,))


def test_a_restored_backup_without_its_log_is_noticed(tmp_path: Path, images: Images) -> None:
    """The main file of a backup alone, as `cp ledger.db` makes it, is noticed."""
    path = images.mixed.copy(tmp_path / "restored")
    images.before.copy(tmp_path / "restored", FILE)
    (tmp_path / "restored" / LOG).unlink()
    assert notices(path, images.mixed)


@pytest.mark.parametrize("name", [LOG, FILE, HEAD])
def test_a_deleted_file_is_noticed(tmp_path: Path, images: Images, name: str) -> None:
    """A ledger whose file, log or head file is gone is noticed."""
    path = images.mixed.copy(tmp_path / "deleted")
    (tmp_path / "deleted" / name).unlink()
    assert notices(path, images.mixed)


def test_the_head_file_of_another_ledger_is_noticed(tmp_path: Path, images: Images) -> None:
    """A head file that was written for another ledger says nothing about this one, even if it is not ahead."""
    begin(tmp_path / "other" / FILE)
    path = images.mixed.copy(tmp_path / "mixed")
    shutil.copyfile(tmp_path / "other" / HEAD, tmp_path / "mixed" / HEAD)
    assert notices(path, images.mixed) == "deciding"
