"""What batches have in common, whoever runs them: many requests are asked for at once, and many answers are billed."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from spendgate.pricing.usage import Usage
from spendgate.wire import sizing
from spendgate.wire.exchange import Asked, Bill


def begun(api: str, provider: str, model: str, each: Sequence[Asked], problem: str) -> Asked:
    """All requests of a batch together, to be billed when their answers are collected.

    What stands in a file is not known: then `each` is empty.
    """
    return Asked(
        api=api,
        provider=provider,
        model=model,
        kind="unread" if problem else "paid",
        input_tokens=sizing.total(one.input_tokens for one in each) if each else None,
        max_output_tokens=sizing.total(one.max_output_tokens for one in each) if each else None,
        answers=max(1, sum(one.answers for one in each)),
        web_searches=sum(one.web_searches for one in each),
        batch=True,
        later=True,
        problem=problem,
    )


@dataclass(slots=True)
class Sums:
    """The usage of many answers, added up by the model and the service tier that they were billed at."""

    provider: str
    sums: dict[tuple[str, str], Usage] = field(default_factory=dict)

    def add(self, bill: Bill) -> None:
        """Takes what one answer bills.

        Raises:
            AmountError: the sum is more than is believed.
        """
        key = bill.model, "" if bill.service_tier == "batch" else bill.service_tier
        self.sums[key] = self.sums.get(key, Usage()) + bill.usage

    def bills(self) -> tuple[Bill, ...]:
        """One bill for each, at the price of batches."""
        return tuple(
            Bill(self.provider, model, usage, batch=True, service_tier=tier)
            for (model, tier), usage in self.sums.items()
        )
