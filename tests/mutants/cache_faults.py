"""The faults of watched caches: counts that are lost or doubled, and a cache that is no longer the one it was."""

from tests.mutants.faults import Fault

_COUNTS = ("tests/caches/test_monitor.py",)
_PROCESSES = ("tests/caches/test_processes.py", "tests/caches/test_monitor.py")
_MAPPINGS = ("tests/caches/test_watched_mappings.py",)
_ASKING = ("tests/caches/test_asking_first.py",)
_FUNCTIONS = ("tests/caches/test_watched_functions.py",)
_REDIS = ("tests/caches/test_watched_redis.py",)
_FRAMEWORKS = ("tests/caches/test_watched_frameworks.py",)
_FINDINGS = ("tests/caches/test_findings.py",)
_STORES = ("tests/stores/test_contract.py",)


def _fault(name: str, path: str, old: str, new: str, tables: tuple[str, ...]) -> Fault:
    return Fault(name, path, old, new, tables)


CACHES = (
    _fault(
        "reading a count counts",
        "caches/tally.py",
        "        self._read += 1\n",
        "",
        _COUNTS,
    ),
    _fault(
        "a flush writes all counts anew",
        "caches/monitor.py",
        "        self._taken = now\n",
        "",
        _COUNTS,
    ),
    _fault(
        "a lock that is taken before paying ends the load",
        "caches/monitor.py",
        "if load is None or len(load) > CALLED:",
        "if True:",
        (*_REDIS, *_FRAMEWORKS),
    ),
    _fault(
        "a value that is added ends no load",
        "caches/monitor.py",
        "if load is None or len(load) > CALLED:",
        "if load is None:",
        (*_REDIS, *_FRAMEWORKS),
    ),
    _fault(
        "what is in the ledger is written again",
        "caches/monitor.py",
        '        """What was pending is in the ledger."""\n        self._pending.clear()\n',
        '        """What was pending is in the ledger."""\n',
        _COUNTS,
    ),
    _fault(
        "counts are dropped while the ledger is away",
        "caches/flushing.py",
        "            if written and not self._write(written, now_at):\n                return\n",
        "            if written:\n                self._write(written, now_at)\n",
        _COUNTS,
    ),
    _fault(
        "a forked child writes what its parent has counted",
        "caches/monitor.py",
        "        self._taken = self._totals()\n        self.churn",
        "        self.churn",
        _COUNTS,
    ),
    _fault(
        "minutes that nobody could write pile up",
        "caches/monitor.py",
        "while len(self._pending) > FOLDED:",
        "while False:",
        _COUNTS,
    ),
    _fault(
        "a later flush replaces the minute",
        "stores/caches.py",
        "known.plus(one) if known else one",
        "one",
        _STORES,
    ),
    _fault(
        "who judges second replaces the past",
        "stores/caches.py",
        "if tables.cache_past(cache, service)[0] != before_at:",
        "if False:",
        _STORES,
    ),
    _fault(
        "a child of multiprocessing ends without a word",
        "caches/flushing.py",
        "        util.Finalize(None, self.end, exitpriority=0)\n",
        "        del util\n",
        _PROCESSES,
    ),
    _fault(
        "asking and reading are two lookups",
        "caches/lookups.py",
        "            if marked[0] is key or _equal(marked[0], key):\n",
        "            if False:\n",
        _MAPPINGS,
    ),
    _fault(
        "a load that stored inside its block ends twice",
        "caches/monitor.py",
        "            if load[BEGUN] == ENDED:  # it has ended by what was stored inside\n                return\n",
        "",
        _COUNTS,
    ),
    _fault(
        "a hit meanwhile ends what is loading",
        "caches/lookups.py",
        "            mark([NOTHING])\n        count()\n",
        "            mark([NOTHING])\n        count()\n        monitor.loading.set(None)\n",
        _COUNTS,
    ),
    _fault(
        "a context puts its mark over that of another",
        "caches/lookups.py",
        "if marked[0] is NOTHING and marked is not NEVER:",
        "if marked is not NEVER:",
        _ASKING,
    ),
    _fault(
        "a context empties the mark of another",
        "caches/lookups.py",
        "            mark([NOTHING])\n",
        "            marked[0] = NOTHING\n",
        _ASKING,
    ),
    _fault(
        "what nobody has asked for yet is one mark for all",
        "caches/lookups.py",
        "if marked[0] is NOTHING and marked is not NEVER:",
        "if marked[0] is NOTHING:",
        _ASKING,
    ),
    _fault(
        "the next lookup is free, whatever its key",
        "caches/lookups.py",
        "            if marked[0] is key or _equal(marked[0], key):\n",
        "            if True:\n",
        _MAPPINGS,
    ),
    _fault(
        "what a cache computes is a hit",
        "caches/adapters/mapping.py",
        'if hasattr(type(cache), "__missing__") and key not in cache:',
        "if False:",
        _MAPPINGS,
    ),
    _fault(
        "a pop is a lookup",
        "caches/adapters/cachetools.py",
        "return _as_bare(bare, self, bare.pop, *args, **kwargs)",
        "return bare.pop(self, *args, **kwargs)",
        _MAPPINGS,
    ),
    _fault(
        "a pickle is of the watched class",
        "caches/adapters/derived.py",
        "if function is _NEW and args == (kind,):",
        "if False:",
        _MAPPINGS,
    ),
    _fault(
        "hits before a clearing are forgotten",
        "caches/adapters/functools.py",
        "            self._cleared_hits += info.hits\n",
        "",
        _FUNCTIONS,
    ),
    _fault(
        "a load inside another one of the same cache ends it",
        "caches/monitor.py",
        "            self.loading.set(before)\n",
        "            self.loading.set(None)\n",
        _FUNCTIONS,
    ),
    _fault(
        "what is missing is a hit where the library is asked first",
        "caches/adapters/cachetools.py",
        "            miss(key)\n            raise KeyError(key)\n        hit(key)\n",
        "            hit(key)\n            raise KeyError(key)\n        hit(key)\n",
        _MAPPINGS,
    ),
    _fault(
        "what is paid after a load is its cost",
        "caches/monitor.py",
        "            self._end(load)\n            self.loading.set(None)\n",
        "            self._end(load)\n",
        _COUNTS,
    ),
    _fault(
        "the client that was given is watched",
        "caches/adapters/redis.py",
        "    watched = copy.copy(client)\n",
        "    watched = client\n",
        _REDIS,
    ),
    _fault(
        "a key that is missing among many is a hit",
        "caches/adapters/redis.py",
        "(monitor.miss if value is None else monitor.hit)(key)",
        "monitor.hit(key)",
        _REDIS,
    ),
    _fault(
        "a cached None is a miss",
        "caches/adapters/flask_caching.py",
        "            monitor.found_after_all(key)\n",
        "            pass\n",
        _FRAMEWORKS,
    ),
    _fault(
        "a finding is not ended when its keys are repaired",
        "caches/judging.py",
        "if at_once or not 0 <= now_at - seen_at < UNCONFIRMED:",
        "if at_once:",
        _FINDINGS,
    ),
    _fault(
        "a restart has no grace",
        "caches/judging.py",
        "                self.rate.restarted(restarted_at)\n",
        "",
        _FINDINGS,
    ),
    _fault(
        "minutes without lookups are not fed",
        "caches/judging.py",
        "if 0 < until_at - since_at <= ZEROS:",
        "if False:",
        _FINDINGS,
    ),
    _fault(
        "a clock that was ahead stops the judging",
        "caches/judging.py",
        "since_at = judged_at if judged_at < now_at + AHEAD else minute_at - MINUTE",
        "since_at = judged_at",
        _FINDINGS,
    ),
)
"""Those that the tests of caches must find."""
