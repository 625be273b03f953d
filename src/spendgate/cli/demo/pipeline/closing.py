"""What is left to say of the first incident: who noticed it, when, and what it had cost by then."""

import click

from spendgate.cli.demo.lines import cents
from spendgate.cli.demo.pipeline.playing import FINDINGS, Noticed, Outcome
from spendgate.cli.demo.pipeline.story import DEPLOY_AT, LOOKUPS_A_DAY, WEEKS_UNSEEN
from spendgate.cli.demo.running import hour
from spendgate.cli.printing import Column, counted, show, table
from spendgate.clock import MINUTE, moment
from spendgate.money import usd

CODE = """\
cache = gate.watch_cache("enrichment", cache, miss_cost="enrich.person")
key = f"enrichment:{record_id}:{datetime.now().isoformat()}"
key = spendgate.stable_key("enrichment", record_id, window="24h")
if gate.once("mail", record_id, within="24h"): send(record_id)
"""
COLUMNS = (
    Column("what noticed it"),
    Column("after", right=True),
    Column("at", right=True),
    Column("lookups", right=True),
    Column("paid since", right=True),
)


def report(outcome: Outcome) -> None:
    """Prints the table and the facts below it."""
    show(click.style("A cache key with a timestamp in it, deployed at 14:00 after eleven good months:", bold=True))
    show()
    show(table(COLUMNS, [_unseen(outcome), *map(_row, outcome.noticed)], indent="  "))
    show()
    right = "Every result was right" if outcome.right else "Some results were wrong"
    again = f"{counted(outcome.rows_again, 'row')} and {counted(outcome.mails_again, 'mail')} came a second time"
    show(f"- {right}: {outcome.hit_rate:.0%} of lookups hit before, none after, and {again}.")
    for one in outcome.noticed:
        if one.text and one.by in FINDINGS.values():
            show(f"- {one.by.capitalize()}: {one.text}.")
    books = "agree" if outcome.usd == outcome.ledger_usd else f"do not agree: {cents(outcome.ledger_usd)} here"
    show(f"- Ledger and services {books}: {cents(outcome.usd)} in all.")
    show()
    show("What it takes: the cache is watched, its key cannot move, and no mail is sent twice.")
    show()
    for row in CODE.splitlines():
        is_wrong = "datetime" in row
        show(f"  {'-' if is_wrong else '+'} {click.style(row, fg='red' if is_wrong else 'cyan')}")
    show()


def _unseen(outcome: Outcome) -> list[str]:
    lookups = LOOKUPS_A_DAY * 7 * WEEKS_UNSEEN
    cost = click.style(f"{cents(outcome.unseen_usd)}*", bold=True, fg="red")
    return ["finance (* at this pace)", f"{WEEKS_UNSEEN} weeks", "", f"{lookups:,}", cost]


def _row(one: Noticed) -> list[str]:
    after = f"{(one.at - DEPLOY_AT) // MINUTE} min"
    return [one.by, after, hour(one.at), f"{one.lookups:,}", click.style(cents(one.usd), bold=True, fg="green")]


def plain(outcome: Outcome) -> dict[str, object]:
    """The incident as plain data; dollars as text."""
    return {
        "deployed_at": moment(DEPLOY_AT).isoformat(),
        "noticed": [
            {
                "by": one.by,
                "at": moment(one.at).isoformat(),
                "minutes": (one.at - DEPLOY_AT) // MINUTE,
                "lookups": one.lookups,
                "paid_usd": str(usd(one.usd)),
                "text": one.text or None,
            }
            for one in outcome.noticed
        ],
        "unnoticed_usd": str(usd(outcome.unseen_usd)),
        "hit_rate_before": round(outcome.hit_rate, 4),
        "results_right": outcome.right,
        "rows_again": outcome.rows_again,
        "mails_again": outcome.mails_again,
        "billed_usd": str(usd(outcome.usd)),
        "ledger_usd": str(usd(outcome.ledger_usd)),
        "ledger_agrees": outcome.usd == outcome.ledger_usd,
    }
