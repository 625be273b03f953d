"""The faults of what happens once, of findings, and of answers that are paid for again."""

from tests.mutants.faults import Fault

FINDINGS = (
    Fault(
        "once is free a microsecond late",
        "stores/noticing.py",
        "if seen is not None and posting.at < seen[1]:",
        "if seen is not None and posting.at <= seen[1]:",
        "tests",
    ),
    Fault(
        "once is free a microsecond early",
        "stores/noticing.py",
        "if seen is not None and posting.at < seen[1]:",
        "if seen is not None and posting.at < seen[1] - 1:",
        "tests",
    ),
    Fault(
        "who asks prolongs what was taken",
        "stores/noticing.py",
        "                return False\n",
        "                posting.tables.put_seen(digest, posting.at, posting.at + span)\n"
        "                return False\n",
        "tests",
    ),
    Fault(
        "the span that is asked with decides, not the one it was taken with",
        "stores/noticing.py",
        "posting.at < seen[1]:",
        "posting.at < seen[0] + span:",
        "tests",
    ),
    Fault(
        "a clock set back leaves what was taken in the future",
        "stores/findings.py",
        "    tables.redate_seen(now_at)\n",
        "",
        "tests",
    ),
    Fault(
        "what is over is forgotten at once, whatever the clock",
        "stores/findings.py",
        "tables.forget_seen(digest, at - FORGET_AFTER, LOOKED_AT)",
        "tables.forget_seen(digest, at, LOOKED_AT)",
        "tests",
    ),
    Fault(
        "action and key run into each other",
        "freshness.py",
        '        hashed.update(b"%d:" % len(encoded))\n',
        "",
        "tests",
    ),
    Fault(
        "a second finding begins while one runs",
        "stores/findings.py",
        "    if known is not None:\n",
        "    if known is not None and known.text == finding.text:\n",
        "tests",
    ),
    Fault(
        "a finding ends twice",
        "stores/noticing.py",
        "                return found\n            posting.meta.head += 1\n            found = ",
        "                pass\n            posting.meta.head += 1\n            found = ",
        "tests",
    ),
    Fault(
        "an answer is still fresh when it no longer is",
        "stores/repeats.py",
        "entry.held_at < seen[0] + span",
        "entry.held_at <= seen[0] + span",
        "tests",
    ),
    Fault(
        "freshness is judged by when a call ends",
        "stores/repeats.py",
        "entry.held_at < seen[0] + span",
        "telling.at < seen[0] + span",
        "tests",
    ),
    Fault(
        "a call that costs nothing yet is an answer",
        "stores/posting.py",
        '        state = after(entry.state, "void", entry.id)\n',
        "        repeats.marked(self, self.meta, entry, entry.weight, entry.marks)\n"
        '        state = after(entry.state, "void", entry.id)\n',
        "tests",
    ),
    Fault(
        "one service's answers are another's",
        "freshness.py",
        "digest('paid', call.service, call.resource, *asked)",
        "digest('paid', call.resource, *asked)",
        "tests",
    ),
    Fault(
        "every duplicate is a finding",
        "stores/repeats.py",
        "    if not streak.finding and streak.points >= FULL:\n",
        "    if not streak.finding and streak.points:\n",
        "tests",
    ),
    Fault(
        "other calls do not make up for duplicates",
        "stores/repeats.py",
        "left = replace(streak, points=streak.points - 1,",
        "left = replace(streak, points=streak.points,",
        "tests",
    ),
    Fault(
        "a finding of duplicates forgets what came before it",
        "stores/repeats.py",
        "        usd=streak.usd + duplicate_usd,\n",
        "        usd=streak.usd + duplicate_usd * bool(streak.finding),\n",
        "tests",
    ),
    Fault(
        "a streak never gets quiet",
        "stores/repeats.py",
        "    if streak is not None and telling.at >= streak.last_at + QUIET:\n",
        "    if streak is not None and telling.at >= streak.last_at + 99 * QUIET:\n",
        "tests",
    ),
    Fault(
        "first payments are priced as duplicates",
        "stores/memory_findings.py",
        "            sums[1] += 1\n            sums[2] += entry.weight.usd\n",
        "            sums[1] += 1\n        sums[2] += entry.weight.usd\n",
        "tests",
    ),
)
