"""What is left to say when the nights are over: the lines of defence, whether the books agree, and what to do next."""

from collections.abc import Sequence

import click

from spendgate.cli.demo.lines import Line, cents, lines, others
from spendgate.cli.demo.running import Outcome, hour
from spendgate.cli.demo.story import BEGINS_AT, MAIL_AT, RUNAWAY
from spendgate.cli.printing import Column, counted, show, table

CODE = """\
gate = spendgate.open()
with gate.call(model, provider="anthropic", service="research", ...) as paid:
    answer = post(request)
    paid.settle(usage=answer["usage"])
"""
KEPT = "    answer = post(request)"
"""The line that was there before."""
COLUMNS = (
    Column("line of defence"),
    Column("billed", right=True),
    Column("calls", right=True),
    Column("stopped at"),
    Column("what stopped it"),
)


def report(outcomes: Sequence[Outcome], speed: float) -> None:
    """Prints the table and the facts below it."""
    span = f"from {hour(BEGINS_AT)} to {hour(outcomes[0].ended_at)}"
    show(click.style(f"What the API billed worker 3, {RUNAWAY}, {span} ({speed:,.0f} times as fast):", bold=True))
    show()
    show(table(COLUMNS, [_row(outcome, line) for outcome in outcomes for line in lines(outcome)], indent="  "))
    show()
    for outcome in outcomes:
        for sentence in _facts(outcome) if not outcome.defence.line else []:
            show(sentence)
    for sentence in _together([outcome for outcome in outcomes if outcome.defence.line]):
        show(sentence)
    show()
    show("What it took in each worker, around the line that was there:")
    show()
    for row in CODE.splitlines():
        show("    " + (row if row == KEPT else click.style(row, fg="cyan")))
    show()


def _row(outcome: Outcome, line: Line) -> list[str]:
    billed = click.style(cents(line.usd), bold=True, fg="red" if outcome.ledger_usd is None else "green")
    if line.by:
        by = f"spendgate, {line.by}" if outcome.defence.line else f"spendgate, limit {line.by}"
    else:
        by = "the daily mail" if line.stopped_at >= MAIL_AT else "the end of --quick"
    return [line.name, billed, f"{line.calls:,}", hour(line.stopped_at), by]


def _together(alone: Sequence[Outcome]) -> list[str]:
    """What is to be said of the nights with one defence alone; each one where it did not go as it should."""
    refused = sum(outcome.tallies[RUNAWAY]["refused"] for outcome in alone)
    if all(outcome.agree and others(outcome).unharmed for outcome in alone):
        asked = counted(refused, "more time")
        return [
            f"- With one defence alone, and no limit, the loop asked {asked} in three nights: all of this holds too."
        ]
    return [f"  {outcome.defence.line}: {fact}" for outcome in alone for fact in _facts(outcome)[1:]]


def _facts(outcome: Outcome) -> list[str]:
    if outcome.ledger_usd is None:
        return []
    fared = others(outcome)
    asked = fared.answered + fared.refused + fared.failed
    refused = outcome.tallies[RUNAWAY]["refused"]
    harm = "" if fared.unharmed else f", {fared.refused} refused, {fared.failed} failed"
    if outcome.agree:
        books = f"agree to the cent: {cents(outcome.usd)} for {counted(len(outcome.charges), 'call')} in each"
    else:
        books = (
            f"do not agree: {cents(outcome.ledger_usd)} for {outcome.ledger_calls:,} calls here, "
            f"{cents(outcome.usd)} for {len(outcome.charges):,} there"
        )
    return [
        f"- The loop catches refusals too, and asked {counted(refused, 'more time')}: none was sent.",
        f"- The other five workers, each with its own budget: {fared.answered} of {asked} calls answered{harm}.",
        f"- Ledger and provider {books}.",
    ]
