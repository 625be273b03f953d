"""The path of a dollar through the gate."""

import pickle
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

import spendgate
from spendgate.clock import HOUR, MINUTE, moment
from spendgate.errors import (
    AmountError,
    BlockedError,
    LostTailError,
    PriceError,
    RefusedError,
    ReservationStateError,
    SpendLimitError,
    StoreError,
)
from spendgate.gate import Gate
from spendgate.ledger import Actor, Breaker, Entry, Event
from spendgate.reservation import State
from spendgate.stores.memory import MemoryStore
from spendgate.testing import FakeClock
from tests.gate.conftest import CONFIG, MakeGate


def entries(gate: Gate) -> list[Entry]:
    """What the ledger has."""
    return list(gate.store.entries())


def only(gate: Gate) -> Entry:
    """The one entry of the ledger."""
    (entry,) = entries(gate)
    return entry


def test_a_block_left_normally_is_settled_from_the_rate_card(gate: Gate) -> None:
    """A call whose price is per call costs that price when its block ends."""
    with gate.call("clearbit.enrich", service="pipeline", key="4711"):
        assert only(gate).state is State.HELD
    assert (only(gate).state, only(gate).weight.usd, only(gate).call.key) == (State.SETTLED, 4_000_000, "4711")


def test_a_block_left_by_an_exception_stays_held_and_lapses(gate: Gate, clock: FakeClock) -> None:
    """Billed or not, nobody knows: the reservation keeps its weight, and lapses fifteen minutes later."""
    with pytest.raises(ZeroDivisionError), gate.call("clearbit.enrich", service="pipeline"):
        _ = 1 / 0
    assert only(gate).state is State.HELD
    clock.advance(15 * 60)
    assert [standing.spent + standing.held for standing in gate.status()] == [Decimal("0.004")]
    gate.reserve(resource="clearbit.enrich", service="pipeline")
    assert entries(gate)[0].state is State.LAPSED


def test_without_a_known_cost_the_whole_hold_counts(gate: Gate) -> None:
    """A resource that no price is known for costs what was declared for it."""
    with gate.call("unheard.of", service="pipeline", at_most="0.25"):
        pass
    assert only(gate).weight.usd == 250_000_000
    assert "unpriced" in only(gate).marks


def test_a_model_call_that_reports_no_usage_counts_whole(gate: Gate) -> None:
    """Missing usage is never taken for no usage."""
    with gate.call("claude-haiku-4-5", provider="anthropic", input_tokens=1000, max_output_tokens=100) as call:
        pass
    assert only(gate).weight == only(gate).reserved
    assert call.id == only(gate).id


def test_usage_is_priced_by_the_price_list(gate: Gate) -> None:
    """1,000 tokens in at $1 and 500 out at $5 a million are $0.0035, with source and date of the price."""
    with gate.call("claude-haiku-4-5", provider="anthropic", input_tokens=1000, max_output_tokens=1000) as call:
        receipt = call.settle(usage={"input_tokens": 1000, "output_tokens": 500})
    assert (receipt.cost, receipt.overrun) == (Decimal("0.0035"), False)
    entry = only(gate)
    assert entry.weight.tokens == 1500
    assert entry.pricing.source.startswith("genai-prices")
    assert entry.pricing.dated


def test_a_stated_cost_of_zero_with_tokens_is_not_believed(gate: Gate) -> None:
    """A provider that reports tokens and a cost of 0 is booked at the price of the tokens."""
    with gate.call("claude-haiku-4-5", provider="anthropic", input_tokens=1000, max_output_tokens=1000) as call:
        call.settle(cost=0, usage={"input_tokens": 1000, "output_tokens": 500})
    assert only(gate).weight.usd == 3_500_000


def test_a_stated_cost_is_taken_and_an_overrun_marked(gate: Gate) -> None:
    """A bill above the estimate is booked in full."""
    with gate.call("clearbit.enrich", service="pipeline") as call:
        receipt = call.settle(cost="0.10")
    assert (receipt.cost, receipt.reserved, receipt.overrun) == (Decimal("0.10"), Decimal("0.004"), True)


def test_units_settle_as_calls_or_by_name(gate: Gate) -> None:
    """Three lookups in one request cost three; units of the rate card cost what each is worth."""
    with gate.call("clearbit.enrich") as call:
        assert call.settle(units=3).cost == Decimal("0.012")
    with gate.call("mail.send", units={"mails": 1000}) as call:
        assert call.settle(units={"mails": 700}).cost == Decimal("0.70")
    assert entries(gate)[1].weight.units == (("mails", 700_000_000),)


def test_the_free_tier_is_counted_in_the_ledger(gate: Gate) -> None:
    """Two calls a month are free, the third is not; a void gives its place back."""
    unused = gate.reserve(resource="maps.geocode")
    with gate.call("maps.geocode"):
        pass
    unused.void()
    for _ in range(2):
        with gate.call("maps.geocode"):
            pass
    assert [entry.weight.usd for entry in entries(gate)] == [0, 0, 0, 5_000_000]


def test_settling_twice_with_the_same_amount_is_the_same_answer(gate: Gate) -> None:
    """The second settle changes nothing; another amount, or a void, is an error that changes nothing either."""
    hold = gate.reserve(resource="x", at_most="0.02")
    assert hold.settle(cost="0.003") == hold.settle(cost="0.003")
    with pytest.raises(ReservationStateError, match="settled"):
        hold.settle(cost="0.004")
    with pytest.raises(ReservationStateError):
        hold.void()
    assert only(gate).weight.usd == 3_000_000


def test_any_process_can_settle_by_id(gate: Gate) -> None:
    """The gate settles and voids reservations by what `reserve` answered, priced as they were held."""
    held = gate.reserve(resource="clearbit.enrich", service="shell")
    assert gate.settle(held.id, units=2).cost == Decimal("0.008")
    assert gate.void(gate.reserve(resource="clearbit.enrich").id).cost == 0
    with pytest.raises(ReservationStateError, match="not known"):
        gate.settle("17-00000000", cost="1")


def test_a_refusal_says_what_and_when_and_survives_pickling(gate: Gate, clock: FakeClock) -> None:
    """The error's fields are typed and public, and cross process borders."""
    gate.reserve(resource="x", service="research", at_most="4").settle()
    with pytest.raises(SpendLimitError) as caught:
        gate.reserve(resource="x", service="research", at_most="1.000000001")
    for error in (caught.value, pickle.loads(pickle.dumps(caught.value))):
        assert (error.limit, error.scope, error.window) == ("hourly", "service=research", "1h")
        assert (error.spent, error.held, error.requested) == (Decimal(4), Decimal(0), Decimal("1.000000001"))
        assert error.headroom == Decimal(1)
        assert error.frees_at is not None
        assert error.retry_after_s == pytest.approx(3600, abs=36)
    assert "$1.00 left" in str(caught.value)
    gate.reserve(resource="x", service="research", at_most="1")


def test_a_refusal_spells_out_the_smallest_amounts(gate: Gate) -> None:
    """One nano-dollar is not written as an exponent."""
    gate.reserve(resource="x", at_most=5).settle()
    with pytest.raises(SpendLimitError, match=r"\$0\.000000001 requested, \$0\.00 left"):
        gate.reserve(resource="x", at_most="0.000000001")


def test_a_refusal_that_comes_from_the_size_of_the_estimate_names_the_remedy(gate: Gate) -> None:
    """Nothing stated means the whole context: the message says what to state."""
    with pytest.raises(SpendLimitError, match="state input_tokens and max_output_tokens"):
        gate.reserve(resource="claude-opus-4-6", provider="anthropic", calls=10)


def test_an_unknown_price_is_refused_where_a_limit_in_dollars_applies(gate: Gate) -> None:
    """No price is never zero: the error names the nearest names and what to declare."""
    with pytest.raises(PriceError) as caught:
        gate.reserve(resource="claude-haiku-4-6-typo", provider="anthropic")
    assert any("haiku" in name for name in caught.value.nearest)
    assert entries(gate) == []


def test_an_unknown_price_passes_a_limit_in_calls(make_gate: MakeGate) -> None:
    """A call budget needs no price; the entry is marked."""
    gate = make_gate('[[limits]]\ncalls = 2\nwindow = "day"\n')
    for _ in range(2):
        gate.reserve(resource="anything")
    with pytest.raises(SpendLimitError, match="2 calls per day"):
        gate.reserve(resource="anything")
    assert all("unpriced" in entry.marks for entry in entries(gate))


def test_free_calls_pass_a_limit_of_nothing(make_gate: MakeGate) -> None:
    """A limit of 0 lets nothing through that costs, and everything that is free."""
    gate = make_gate('[[limits]]\nusd = 0\nwindow = "1h"\n[prices."ollama:*"]\nfree = true\n')
    with gate.call("llama4", provider="ollama") as call:
        call.settle(usage={"input_tokens": 5000, "output_tokens": 5000})
    with pytest.raises(SpendLimitError):
        gate.reserve(resource="x", at_most="0.000000001")


def test_a_call_waits_for_its_turn(make_gate: MakeGate, clock: FakeClock) -> None:
    """With `wait`, a throttled call goes when its turn has come; where waiting cannot help it is refused at once."""
    gate = make_gate(
        '[[limits]]\ncalls = 1\nwindow = "day"\nat_limit = "throttle"\nthrottle_to = "10/min"\n'
        '[prices."x"]\nper_call = "0.1"\n'
    )
    gate.reserve(resource="x")
    gate.reserve(resource="x")
    started_at = clock.now()
    gate.reserve(resource="x", wait=30)
    assert clock.now() - started_at == 6_000_000
    with pytest.raises(SpendLimitError):
        gate.reserve(resource="x", wait=5.9)
    assert clock.now() - started_at == 6_000_000


def test_a_refusal_says_when_its_turn_is(make_gate: MakeGate, clock: FakeClock) -> None:
    """Where calls go one at a time nothing has to leave the window: the refusal names the next turn."""
    gate = make_gate(
        '[[limits]]\ncalls = 1\nwindow = "day"\nat_limit = "throttle"\nthrottle_to = "10/min"\n'
        '[prices."x"]\nper_call = "0.1"\n'
    )
    gate.reserve(resource="x")
    gate.reserve(resource="x")
    with pytest.raises(SpendLimitError) as caught:
        gate.reserve(resource="x")
    assert caught.value.takes_turns
    assert caught.value.frees_at == moment(clock.now() + 6_000_000)
    assert "lets calls through one at a time" in str(caught.value)
    assert f"Its next turn is at {caught.value.frees_at:%Y-%m-%d %H:%M:%S} UTC." in str(caught.value)
    assert "frees" not in str(caught.value)


def test_a_wait_sees_money_that_others_release(make_gate: MakeGate, clock: FakeClock) -> None:
    """Held money that is voided meanwhile lets the waiting call through within a second."""
    gate = make_gate()
    first = gate.reserve(resource="x", at_most="5")

    def release(span_s: float) -> None:
        clock.advance(span_s)
        first.void()

    gate.clock = FakeClock(clock.now())
    gate.clock.sleep = release  # type: ignore[method-assign]
    assert gate.reserve(resource="x", at_most="5", wait=30).at_most == 5


def test_a_tripped_breaker_refuses_free_calls_too(gate: Gate, clock: FakeClock) -> None:
    """Only a breaker tripped by hand refuses everything, and says who can let it through again."""
    gate.store.trip(Breaker("service", "research", 0, "looks odd", clock.now() + HOUR), Actor(), clock.now())
    with pytest.raises(BlockedError, match="looks odd") as caught:
        gate.reserve(resource="maps.geocode", service="research")
    assert isinstance(caught.value, RefusedError)
    assert "breaker reset service=research" in str(caught.value)
    gate.reserve(resource="maps.geocode", service="other")
    clock.advance(3600)
    gate.reserve(resource="maps.geocode", service="research")


def test_the_service_comes_from_call_scope_or_gate(make_gate: MakeGate) -> None:
    """The innermost word counts: the call's own, then the scope's, then the gate's."""
    gate = make_gate(service="default")
    gate.reserve(resource="x", at_most=0)
    with gate.scope("outer", task="t1", tags={"customer": "acme"}), gate.scope(tags={"batch": 7}):
        gate.reserve(resource="x", at_most=0)
        gate.reserve(resource="x", at_most=0, service="own", task="t2", tags={"customer": "zeta"})
    calls = [entry.call for entry in entries(gate)]
    assert [call.service for call in calls] == ["default", "outer", "own"]
    assert [call.task for call in calls] == ["", "t1", "t2"]
    assert calls[1].tags == (("batch", "7"), ("customer", "acme"))
    assert calls[2].tags == (("batch", "7"), ("customer", "zeta"))


def test_a_paid_function_reserves_at_each_call(gate: Gate) -> None:
    """The decorator takes the key from the arguments and the cost from the result, and keeps name and result."""

    @gate.paid(
        "clearbit.enrich",
        service="pipeline",
        key_from=lambda record_id: record_id,
        settle_from=lambda found: {"cost": found},
    )
    def enrich(record_id: int) -> str:
        """Looks a person up."""
        return f"0.00{record_id}"

    assert (enrich(5), enrich.__name__) == ("0.005", "enrich")
    assert (only(gate).call.key, only(gate).weight.usd) == ("5", 5_000_000)


def test_a_paid_generator_is_settled_when_it_is_read_to_its_end(gate: Gate) -> None:
    """A generator reserves when it starts; closed early, its hold stays."""

    @gate.paid("clearbit.enrich")
    def rows() -> Iterator[int]:
        yield 1
        yield 2

    assert list(rows()) == [1, 2]
    early = rows()
    next(early)
    early.close()  # type: ignore[attr-defined]
    assert [entry.state for entry in entries(gate)] == [State.SETTLED, State.HELD]


def test_a_coroutine_needs_the_awaited_gate(gate: Gate) -> None:
    """A decorator that could only settle before the work is done is refused."""

    async def enrich() -> None: ...

    with pytest.raises(TypeError, match=r"spendgate\.aio"):
        gate.paid("clearbit.enrich")(enrich)


def test_observing_refuses_nothing_and_records_what_it_would_have(make_gate: MakeGate) -> None:
    """Mode `observe` lets calls beyond the limit through, marked."""
    gate = make_gate(mode="observe")
    for _ in range(2):
        gate.reserve(resource="x", at_most=4).settle()
    gate.reserve(resource="unheard.of")
    assert ["observed" in entry.marks for entry in entries(gate)] == [False, True, False]
    (standing,) = gate.status()
    assert (standing.refused_calls, standing.refused_usd) == (1, Decimal(4))


def test_a_gate_that_is_off_writes_nothing(make_gate: MakeGate) -> None:
    """Mode `off` is a switch for tests and emergencies: the program runs as if there were no gate."""
    gate = make_gate(mode="off")
    with gate.call("x", at_most=400) as call:
        assert (call.id, call.settle(cost="3").cost) == ("", Decimal(3))
    gate.processed(5, service="pipeline")
    assert entries(gate) == []
    assert gate.store.work(0, 1 << 62) == []


class BrokenStore(MemoryStore):
    """A ledger that can be switched off."""

    broken: type[Exception] | None = None

    def _write(self, work: Any) -> Any:
        if self.broken is not None:
            raise self.broken("the disk is full")
        return super()._write(work)


def test_an_unreachable_ledger_keeps_the_gate_shut(make_gate: MakeGate) -> None:
    """When in doubt nothing is sent, and it works again without a restart."""
    store = BrokenStore()
    gate = make_gate(store=store)
    store.broken = StoreError
    with pytest.raises(StoreError):
        gate.reserve(resource="x", at_most=1)
    store.broken = None
    gate.reserve(resource="x", at_most=1)


def test_calls_let_through_without_the_ledger_are_booked_when_it_is_back(make_gate: MakeGate) -> None:
    """`unavailable = "allow"` books what went unrecorded late and marked: settled, whole, or not at all."""
    store = BrokenStore()
    gate = make_gate(store=store, unavailable="allow")
    store.broken = StoreError
    with gate.call("clearbit.enrich", service="pipeline"):
        pass
    with pytest.raises(KeyError), gate.call("x", service="pipeline", at_most=1):
        raise KeyError
    gate.reserve(resource="x", at_most=2).void()
    assert gate.unrecorded_calls == 3
    store.broken = None
    gate.reserve(resource="maps.geocode")
    booked = [entry for entry in entries(gate) if "unrecorded" in entry.marks]
    assert [entry.weight.usd for entry in booked] == [4_000_000, 1_000_000_000]
    assert store.check() == []


def test_a_lost_tail_is_never_ignored(make_gate: MakeGate) -> None:
    """`unavailable = "allow"` does not cover a ledger that forgot what was spent."""
    store = BrokenStore()
    gate = make_gate(store=store, unavailable="allow")
    store.broken = LostTailError
    with pytest.raises(LostTailError):
        gate.reserve(resource="x", at_most=1)


def test_a_ledger_that_fails_at_the_end_does_not_take_the_answer_away(make_gate: MakeGate) -> None:
    """The call succeeded: its block ends without an error, and the reservation stays held."""
    store = BrokenStore()
    gate = make_gate(store=store)
    with gate.call("clearbit.enrich", service="pipeline"):
        store.broken = StoreError
    store.broken = None
    assert only(gate).state is State.HELD


class Listening:
    """Hears everything, and can be made to fail."""

    def __init__(self, *, fails: bool = False) -> None:
        self.heard: list[str] = []
        self.fails = fails

    def entry(self, entry: Entry) -> None:
        self._hear(str(entry.state))

    def events(self, events: tuple[Event, ...]) -> None:
        for event in events:
            self._hear(event.kind)

    def close(self) -> None:
        self._hear("closed")

    def _hear(self, what: str) -> None:
        self.heard.append(what)
        if self.fails:
            raise RuntimeError("observers may fail")


def test_listeners_hear_once_per_episode(make_gate: MakeGate, clock: FakeClock) -> None:
    """A warning, the first refusal and the end of the episode are told once each, however many calls there are."""
    heard = Listening()
    gate = make_gate(listeners=(heard,))
    gate.reserve(resource="x", at_most="4.5").settle()
    for _ in range(5):
        with pytest.raises(SpendLimitError):
            gate.reserve(resource="x", at_most=1)
    clock.advance(2 * 3600)
    gate.reserve(resource="x", at_most=1).settle()
    gate.close()
    assert heard.heard == ["warned", "settled", "blocked", "allowing", "settled", "closed"]


def test_a_failing_listener_is_not_noticed(make_gate: MakeGate) -> None:
    """Observers may fail: the gate does not."""
    heard = Listening(fails=True)
    gate = make_gate(listeners=(heard,))
    gate.reserve(resource="x", at_most="4.5").settle()
    assert heard.heard == ["warned", "settled"]


def test_work_done_is_counted_by_service_and_minute(gate: Gate, clock: FakeClock) -> None:
    """`processed` adds up within a minute."""
    with gate.scope("pipeline"):
        gate.processed(3)
        gate.processed(4)
    minute_at = clock.now() - clock.now() % MINUTE
    assert gate.store.work(0, 1 << 62) == [("pipeline", minute_at, 7)]


@pytest.mark.parametrize(
    "bad",
    [
        {"at_most": "NaN"},
        {"at_most": "inf"},
        {"at_most": "-1"},
        {"at_most": True},
        {"at_most": 0.1},
        {"at_most": "1000001"},
        {"at_most": "much"},
        {"calls": -1},
        {"calls": True},
        {"input_tokens": 1.5},
        {"max_output_tokens": -1},
        {"units": {"rows": float("nan")}},
        {"units": {"rows": "-1"}},
        {"attempt": 0},
        {"service": "a\nb"},
        {"service": "x" * 201},
        {"task": 5},
        {"tags": {"customer": "a\x00"}},
        {"key": "k" * 1001},
        {"resource": ""},
        {"wait": -1},
        {"wait": "soon"},
    ],
)
def test_what_cannot_be_an_amount_or_a_name_is_refused_at_the_door(gate: Gate, bad: dict[str, Any]) -> None:
    """The error names the argument, and nothing is reserved."""
    with pytest.raises(AmountError) as caught:
        gate.reserve(**{"resource": "clearbit.enrich", **bad})
    assert (
        str(caught.value).startswith(next(iter(bad))[:5]) or "rows" in str(caught.value) or "tags" in str(caught.value)
    )
    assert entries(gate) == []


@pytest.mark.parametrize("cost", ["NaN", float("inf"), "-0.1", True, 0.5, "1e7", object()])
def test_a_cost_that_is_none_leaves_the_reservation_held(gate: Gate, cost: Any) -> None:
    """A bad amount at the end changes nothing: the hold stands and can still be settled."""
    hold = gate.reserve(resource="x", at_most=1)
    with pytest.raises(AmountError, match="cost"):
        hold.settle(cost=cost)
    assert hold.settle(cost="0.5").cost == Decimal("0.5")


def test_open_without_a_configuration_names_the_way_out(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`spendgate init` is what to type."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPENDGATE_CONFIG", raising=False)
    with pytest.raises(spendgate.ConfigError, match="spendgate init"):
        spendgate.open()


def test_open_gates_share_one_budget(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two gates of one configuration draw on the same ledger, with the mirror beside it."""
    (tmp_path / "spendgate.toml").write_text(CONFIG + '[mirror]\ndir = "log"\n')
    monkeypatch.chdir(tmp_path)
    with spendgate.open() as one, spendgate.open() as two:
        one.reserve(resource="x", service="a", at_most=3).settle()
        with pytest.raises(SpendLimitError):
            two.reserve(resource="x", service="a", at_most=3)
    assert (tmp_path / ".spendgate" / "ledger.db").stat().st_mode & 0o777 == 0o600
    assert [path.suffix for path in (tmp_path / "log").iterdir()] == [".jsonl"]


def test_a_changed_file_is_told_once(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening with other limits is an event that names the file; opening again with the same ones is none."""
    (tmp_path / "spendgate.toml").write_text(CONFIG + '[mirror]\ndir = "log"\n')
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        spendgate.open().close()
    (mirror,) = (tmp_path / "log").iterdir()
    (line,) = mirror.read_text().splitlines()
    assert "spendgate.toml" in line


@pytest.mark.parametrize(
    "stated",
    [
        {"resource": "claude-opus-4-6", "provider": "anthropic", "at_most": 0},
        {"resource": "claude-opus-4-6", "provider": "anthropic", "input_tokens": 0, "max_output_tokens": 0},
        {"resource": "clearbit.enrich", "calls": 0},
        {"resource": "unheard.of", "at_most": 0},
    ],
)
def test_an_estimate_of_nothing_does_not_pass_a_full_limit(gate: Gate, stated: dict[str, Any]) -> None:
    """Only a declared price makes a call free: without one a nano-dollar is held, and asks the limits."""
    gate.reserve(resource="x", at_most=5).settle()
    with pytest.raises(SpendLimitError):
        gate.reserve(**stated)


def test_a_call_stated_to_cost_nothing_costs_nothing(gate: Gate) -> None:
    """`at_most=0` left without another word is booked at 0, not at the nano-dollar that was held."""
    with gate.call("x", at_most=0):
        pass
    assert only(gate).weight.usd == 0


@pytest.mark.parametrize("usage", [{}, {"input_tokens": 0, "output_tokens": 0}, spendgate.Usage()])
def test_empty_usage_counts_whole(gate: Gate, usage: Any) -> None:
    """An answer without its usage is not a free answer."""
    with gate.call("claude-haiku-4-5", provider="anthropic", input_tokens=1000, max_output_tokens=100) as call:
        call.settle(usage=usage)
    assert only(gate).weight == only(gate).reserved


def test_a_service_tier_is_remembered_with_the_reservation(gate: Gate) -> None:
    """Settled by its id the call costs what it costs when settled by the reservation itself."""
    stated = {"provider": "openai", "service_tier": "priority", "input_tokens": 1000, "max_output_tokens": 1000}
    usage = {"input_tokens": 1000, "output_tokens": 1000}
    costs = [
        gate.reserve(resource="gpt-4o", **stated).settle(usage=usage).cost,  # type: ignore[arg-type]
        gate.settle(gate.reserve(resource="gpt-4o", **stated).id, usage=usage).cost,  # type: ignore[arg-type]
        gate.reserve(resource="gpt-4o", **(stated | {"service_tier": ""})).settle(usage=usage).cost,  # type: ignore[arg-type]
    ]
    assert costs[0] == costs[1] > costs[2]


def test_a_misspelt_argument_is_an_error(gate: Gate) -> None:
    """A slip of the keyboard never becomes a default, neither in a call nor in a decorator."""
    with pytest.raises(TypeError, match="did you mean 'at_most'"):
        gate.reserve(resource="x", at_mots="0.02")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="did you mean 'service'"):
        gate.paid("x", servce="research")  # type: ignore[call-arg]
    assert entries(gate) == []


@pytest.mark.parametrize(
    "settle_from",
    [
        lambda _: {"cost": "NaN"},
        lambda _: {"usage": {"prompt_tokens": 5}},
        lambda _: {"usge": 1},
        lambda found: {"cost": found["price"]},
        lambda _: {"units": {"bananas": 5}},
    ],
)
def test_a_paid_answer_is_never_lost_to_a_faulty_settle(gate: Gate, settle_from: Any) -> None:
    """Where the cost cannot be read from the result the call counts whole, and the caller gets the result."""

    @gate.paid("clearbit.enrich", settle_from=settle_from)
    def enrich() -> dict[str, int]:
        return {"answer": 42}

    assert enrich() == {"answer": 42}
    assert (only(gate).state, only(gate).weight.usd) == (State.SETTLED, 4_000_000)


def test_a_result_that_says_nothing_settles_from_the_rate_card(gate: Gate) -> None:
    """`settle_from` may return None."""
    gate.paid("clearbit.enrich", settle_from=lambda _: None)(lambda: 1)()  # type: ignore[arg-type, return-value]
    assert only(gate).weight.usd == 4_000_000


def test_units_that_have_no_price_are_refused_before_the_call(gate: Gate) -> None:
    """Also with `at_most`: what could not be settled is not begun."""
    with pytest.raises(PriceError, match="bananas"), gate.call("mail.send", units={"bananas": 5}, at_most="0.1"):
        pass
    assert entries(gate) == []


@pytest.mark.parametrize("how", ["settle", "void", "reservation"])
def test_a_call_ended_by_its_id_leaves_its_block_in_peace(gate: Gate, how: str) -> None:
    """Inside the block somebody else may settle: leaving it then changes nothing."""
    with gate.call("x", at_most="0.10") as call:
        if how == "settle":
            gate.settle(call.id, "0.02")
        elif how == "void":
            gate.void(call.id)
        else:
            assert call.reservation is not None
            call.reservation.settle("0.02")
    assert only(gate).weight.usd == (0 if how == "void" else 20_000_000)


def test_closing_books_what_was_let_through(make_gate: MakeGate) -> None:
    """At the end of the program the ledger is asked once more; a call still running counts whole."""
    store = BrokenStore()
    gate = make_gate(store=store, unavailable="allow")
    store.broken = StoreError
    with gate.call("clearbit.enrich"):
        pass
    running = gate.reserve(resource="x", at_most=1)
    store.broken = None
    gate.close()
    assert [entry.weight.usd for entry in entries(gate)] == [4_000_000, 1_000_000_000]
    running.settle("0.5")
    assert len(entries(gate)) == 2


def test_an_empty_id_is_nothing_to_settle(make_gate: MakeGate) -> None:
    """What a gate that is off gives as id can be handed back to it."""
    gate = make_gate(mode="off")
    assert gate.settle(gate.reserve(resource="x").id, "0.5").cost == Decimal("0.5")
    assert gate.void("").cost == 0
    with pytest.raises(ReservationStateError):
        make_gate().void("")


def test_errors_cross_processes_with_their_notes(gate: Gate) -> None:
    """A note added on the way survives pickling, for every error with fields."""
    with pytest.raises(SpendLimitError) as caught:
        gate.reserve(resource="x", at_most=6)
    priceless = PriceError(provider="a", model="b")
    for error in (caught.value, priceless, AmountError("a", 1, "b"), spendgate.ConfigError("p", key="k")):
        error.add_note("row 5")
        again = pickle.loads(pickle.dumps(error))
        assert (str(again), again.__notes__) == (str(error), ["row 5"])


def test_what_gives_something_to_await_is_not_settled_as_done(gate: Gate) -> None:
    """A plain gate cannot wait for it: nothing was sent, so the hold is voided and the mistake named."""

    async def fetch() -> int:
        return 1

    made = []
    with pytest.raises(TypeError, match=r"spendgate\.aio"):
        gate.paid("clearbit.enrich")(lambda: made.append(fetch()) or made[0])()
    made[0].close()
    assert only(gate).state is State.VOIDED


def test_a_decorator_in_the_wrong_place_is_named(gate: Gate) -> None:
    """A static method is no function yet."""
    with pytest.raises(TypeError, match="@staticmethod"):
        gate.paid("x")(staticmethod(len))  # type: ignore[arg-type]


def test_a_paid_generator_settles_from_what_it_returns(gate: Gate) -> None:
    """`settle_from` is handed the generator's return value."""

    @gate.paid("clearbit.enrich", settle_from=lambda found: {"cost": found})
    def rows() -> Any:
        yield 1
        return "0.003"

    assert list(rows()) == [1]
    assert only(gate).weight.usd == 3_000_000


@pytest.mark.parametrize(
    "bad",
    [{"units": 3}, {"units": None}, {"tags": "abc"}, {"service_tier": 5}, {"batch": "no"}],
)
def test_arguments_of_the_wrong_kind_are_named(gate: Gate, bad: dict[str, Any]) -> None:
    """What `reserve` cannot read is an `AmountError`, never an error from inside."""
    with pytest.raises(AmountError, match=next(iter(bad))):
        gate.reserve(resource="clearbit.enrich", **bad)


def test_an_id_must_be_text(gate: Gate) -> None:
    """`None` is no reservation."""
    with pytest.raises(AmountError, match="hold_id"):
        gate.settle(None, "1")  # type: ignore[arg-type]


def test_a_file_that_overrules_another_is_said(tmp_path: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Two files over one ledger: whoever opens last decides, and the log names both."""
    for name, amount in (("one", "5"), ("two", "500")):
        url = f"sqlite:///{tmp_path}/ledger.db"
        config = f'[store]\nurl = "{url}"\n[[limits]]\nusd = "{amount}"\nwindow = "1h"\n'
        (tmp_path / f"{name}.toml").write_text(config)
        spendgate.open(tmp_path / f"{name}.toml").close()
    (record,) = [record for record in caplog.records if record.name == "spendgate"]
    assert "two.toml" in record.getMessage()
    assert "one.toml" in record.getMessage()


@pytest.mark.parametrize("version", ["v" * 201, "v1\n", 7])
def test_a_version_that_is_no_name_is_said_at_once(make_gate: MakeGate, version: Any) -> None:
    """A gate is not made with a version that no finding could name: later, it would keep calls from being settled."""
    with pytest.raises(AmountError, match="version"):
        make_gate(version=version)
