"""The table of commands, and the door they all go through: options for all, and errors as one message and a code.

`spendgate --help` loads none of the commands: their short help stands here.
"""

import errno
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import click

from spendgate.cli.session import Session
from spendgate.errors import PriceError, RefusedError, SpendgateError

REFUSED = 1
"""Exit code of findings, and of what the gate refuses."""
FAULT = 2
"""Exit code of what cannot be done: wrong use, a faulty configuration, a ledger that cannot be read."""


class Entry(NamedTuple):
    """Where a command lives, as `module:function`, and what it does, in a line."""

    target: str
    short: str


SECTIONS: dict[str, dict[str, Entry]] = {
    "Begin": {
        "init": Entry("spendgate.cli.init:init", "write a commented spendgate.toml here"),
        "demo": Entry("spendgate.cli.demo:demo", "watch a runaway being stopped, live, on this machine"),
        "doctor": Entry("spendgate.cli.doctor:doctor", "examine configuration, ledger, prices and clock"),
    },
    "Look": {
        "status": Entry("spendgate.cli.status:status", "how every limit stands: spent, held, left, when it frees"),
        "report": Entry("spendgate.cli.report:report", "what was spent, by service, model, resource, task or day"),
        "caches": Entry("spendgate.cli.caches:caches", "what the watched caches did, and what their misses cost"),
        "replay": Entry("spendgate.cli.replay:replay", "what these limits would have done to a recorded log"),
        "prices": Entry("spendgate.cli.prices:prices", "what a call costs, and what has no exact price"),
    },
    "Decide": {
        "limits": Entry("spendgate.cli.limits:limits", "explain, show and apply the limits"),
        "breaker": Entry("spendgate.cli.breaker:breaker", "block calls by hand, and let them through again"),
        "escalation": Entry("spendgate.cli.escalation:escalation", "allow a task a dearer model, or not"),
        "finding": Entry("spendgate.cli.dismissing:finding", "list what does not look meant, and dismiss what is"),
        "config": Entry("spendgate.cli.config:config", "show the settings in force and where they came from"),
        "notify": Entry("spendgate.cli.notify:notify", "try the routes that tell people"),
    },
    "Calls from shell scripts": {
        "hold": Entry("spendgate.cli.holding:hold", "set money aside for a call and print its id"),
        "settle": Entry("spendgate.cli.holding:settle", "say what the call did cost"),
        "void": Entry("spendgate.cli.holding:void", "say that the call was not made"),
        "once": Entry("spendgate.cli.once:once", "go on only if nobody has done this within a span"),
    },
    "Review": {
        "key": Entry("spendgate.cli.key:key", "see whether a cache key repeats when its input does"),
    },
    "History": {
        "import": Entry("spendgate.cli.transfer:import_", "add recorded calls to the ledger; they count in reports"),
        "export": Entry("spendgate.cli.transfer:export", "write the ledger as JSONL or CSV"),
    },
}
"""What there is, in the order of the help."""

COMMANDS = {name: entry for section in SECTIONS.values() for name, entry in section.items()}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are run."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, _, function = COMMANDS[cmd_name].target.partition(":")
        command: click.Command = getattr(import_module(module), function)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean `{near[0]}`?" if near else " `spendgate --help` lists them."
            ctx.fail(f"There is no command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, entry.short) for name, entry in commands.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SpendgateError as error:
            click.echo(f"spendgate: {error}", err=True)
            ctx.exit(REFUSED if isinstance(error, RefusedError | PriceError) else FAULT)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            where = f"{error.filename}: " if error.filename else ""
            click.echo(f"spendgate: {where}{error.strerror or error}", err=True)
            ctx.exit(FAULT)


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PATH",
    help="This spendgate.toml, instead of SPENDGATE_CONFIG or the nearest one upwards.",
)
@click.version_option(package_name="spendgate", message="%(prog)s %(version)s")
@click.pass_context
def main(ctx: click.Context, config: Path | None) -> None:
    """Stands between your code and the money it spends: hard budgets for paid calls, one ledger, no server to run.

    \b
    Begin with:
      spendgate init        write spendgate.toml, with limits of $5 / $15 / $50 and a total
      spendgate demo        watch a runaway being stopped
      spendgate status      how the limits stand

    Exit codes: 0 fine, 1 findings or refused, 2 wrong use, faulty configuration or ledger.
    """  # noqa: D301 - click reads the \b itself
    session = ctx.ensure_object(Session)
    if config is not None:
        session.config = config
