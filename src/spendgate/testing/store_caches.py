"""The contract: what caches did. Counts add up over writers, and compaction changes no sum."""

from dataclasses import replace
from pathlib import Path

from spendgate.cacheminutes import CacheMinute
from spendgate.clock import DAY, HOUR, MINUTE
from spendgate.ledger import Store
from spendgate.testing.fakeclock import START_AT
from spendgate.testing.store_setup import StoreSetup

ALWAYS = 1 << 62
FIRST_AT = START_AT - START_AT % DAY
"""A midnight, so that a day's minutes are known."""
SOME = CacheMinute("enrichment", "pipeline", "v7", FIRST_AT, 7, 5, 4, 3, 2, 1000, 20_000, 90, 100)


def sums(store: Store) -> list[int]:
    """All that is counted, over everything that the ledger knows."""
    found = [one.numbers[:7] for one in store.cache_minutes(0, ALWAYS)]
    return [sum(column) for column in zip(*found, strict=True)]


class CacheChecks(StoreSetup):
    """Minutes of caches."""

    def test_counts_of_a_minute_add_up(self, tmp_path: Path) -> None:
        """Counts for a minute are added to those there, and size and capacity are the latest."""
        with self.opened(tmp_path) as store:
            store.add_cache_minutes([SOME], FIRST_AT)
            store.add_cache_minutes([replace(SOME, size=95), replace(SOME, version="v8")], FIRST_AT)
            both = CacheMinute("enrichment", "pipeline", "v7", FIRST_AT, 14, 10, 8, 6, 4, 2000, 40_000, 95, 100)
            assert store.cache_minutes(0, ALWAYS) == [both, replace(SOME, version="v8")]

    def test_nothing_to_add_is_fine(self, tmp_path: Path) -> None:
        """An empty list changes nothing, and a ledger that knows no caches says so."""
        with self.opened(tmp_path) as store:
            store.add_cache_minutes([], FIRST_AT)
            assert store.cache_minutes(0, ALWAYS) == []

    def test_a_stretch_of_time_and_a_cache_choose(self, tmp_path: Path) -> None:
        """A stretch includes the minute it begins with and not the one it ends with; a name chooses one cache."""
        with self.opened(tmp_path) as store:
            minutes = [replace(SOME, minute_at=FIRST_AT + n * MINUTE, hits=n) for n in (3, 0, 2, 1)]
            other = replace(SOME, cache="pages", minute_at=FIRST_AT + MINUTE)
            store.add_cache_minutes([*minutes, other], FIRST_AT)
            found = store.cache_minutes(FIRST_AT + MINUTE, FIRST_AT + 3 * MINUTE)
            assert [(one.cache, one.hits) for one in found] == [("enrichment", 1), ("pages", 7), ("enrichment", 2)]
            assert store.cache_minutes(FIRST_AT, FIRST_AT + HOUR, "pages") == [other]

    def test_names_may_hold_anything(self, tmp_path: Path) -> None:
        """Names with quotes, other scripts and separators stay apart."""
        with self.opened(tmp_path) as store:
            names = ["a'b", "日本", "a|b", "", "a\x1fb"]
            store.add_cache_minutes([replace(SOME, service=name) for name in names], FIRST_AT)
            assert sorted(one.service for one in store.cache_minutes(0, ALWAYS)) == sorted(names)

    def test_handles_see_each_others_counts(self, tmp_path: Path) -> None:
        """What another process counts is added to the same minute."""
        with self.opened(tmp_path) as store:
            store.add_cache_minutes([SOME], FIRST_AT)
            with self.again(store) as other:
                if other is not None:
                    other.add_cache_minutes([SOME], FIRST_AT)
                    assert store.cache_minutes(0, ALWAYS) == other.cache_minutes(0, ALWAYS) == [SOME.plus(SOME)]

    def test_compaction_keeps_the_sums(self, tmp_path: Path) -> None:
        """Compaction rolls old minutes into days without changing a sum, also when it is done again."""
        with self.opened(tmp_path) as store:
            at = FIRST_AT + 100 * DAY
            minutes = [replace(SOME, minute_at=FIRST_AT + n * 7 * HOUR, size=n) for n in range(9)]
            recent = replace(SOME, minute_at=at)
            store.add_cache_minutes([*minutes, recent], at)
            before = sums(store)
            store.compact(FIRST_AT + DAY + HOUR, at)
            store.compact(FIRST_AT + 2 * DAY, at)
            found = store.cache_minutes(0, ALWAYS)
            assert sums(store) == before
            assert [(one.minute_at, one.size) for one in found[:2]] == [(FIRST_AT, 3), (FIRST_AT + DAY, 6)]
            assert found[-1] == recent

    def test_a_past_is_kept_unless_somebody_was_faster(self, tmp_path: Path) -> None:
        """What is known of a cache is replaced by whoever judged from where it stood, for each service by itself."""
        with self.opened(tmp_path) as store:
            assert store.cache_past("enrichment", "pipeline") == (0, "")
            assert store.put_cache_past("enrichment", "pipeline", 0, FIRST_AT, '{"a": 1}')
            assert not store.put_cache_past("enrichment", "pipeline", 0, FIRST_AT + MINUTE, "late")
            assert store.put_cache_past("enrichment", "", 0, FIRST_AT, "another")
            with self.again(store) as other:
                reader = other or store
                assert reader.cache_past("enrichment", "pipeline") == (FIRST_AT, '{"a": 1}')
                assert reader.put_cache_past("enrichment", "pipeline", FIRST_AT, FIRST_AT + MINUTE, "x" * 20_000)
            assert store.cache_past("enrichment", "pipeline") == (FIRST_AT + MINUTE, "x" * 20_000)
            assert store.cache_past("enrichment", "") == (FIRST_AT, "another")
