r"""spendgate.toml as typed settings. What the file does not say exactly is an error, never a guess.

>>> settings = read('[[limits]]\nusd = "5.00"\nwindow = "1h"\nper = ["service"]')
>>> settings.limits.limits[0].name, settings.mode, settings.store.url
('usd-1h-service', 'enforce', 'sqlite:///.spendgate/ledger.db')
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, available_timezones

from spendgate.alerts.routes import Route
from spendgate.call import MAX_NAME
from spendgate.config.keys import BY_PATH, KEYS
from spendgate.config.limits import read_limits
from spendgate.config.lines import line_of, lines, unspell
from spendgate.config.notify import read_routes
from spendgate.config.origins import Setting, listed
from spendgate.config.services import read_services
from spendgate.config.store import MirrorSettings, StoreSettings, read_mirror, read_store
from spendgate.config.tables import Document, Table, nearest, parse, show
from spendgate.config.tasks import read_rules
from spendgate.config.template import TEMPLATE
from spendgate.errors import ConfigError
from spendgate.ledger import MAX_LAPSE_AFTER
from spendgate.limits import LimitSet
from spendgate.money import MAX_QUANTITY
from spendgate.policies import Services
from spendgate.pricing.ratecard import RateCard, read_prices
from spendgate.taskterms import TaskRules

__all__ = [
    "KEYS",
    "NAME",
    "TEMPLATE",
    "MirrorSettings",
    "Setting",
    "Settings",
    "StoreSettings",
    "find",
    "load",
    "origins",
    "read",
]

NAME = "spendgate.toml"
"""What a configuration is called."""
CONFIG_ENV = "SPENDGATE_CONFIG"
"""The variable that names a configuration, wherever it is."""

Mode = Literal["enforce", "observe", "off"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What a configuration says. Spans are in microseconds.

    `service` is the service of calls that name none, `version` that of the program or deploy.
    `default_max_input_tokens` is what a model call may read where the request does not tell, 0 for the model's whole
    context; `default_max_output_tokens` what it may write.
    """

    file: Path | None
    service: str
    version: str
    mode: Mode
    timezone: str
    lapse_after: int
    lapse_after_batch: int
    default_max_input_tokens: int
    default_max_output_tokens: int
    store: StoreSettings
    rules: TaskRules
    services: Services
    limits: LimitSet
    limits_from: Literal["file", "ledger"]
    prices: RateCard
    notify: tuple[Route, ...]
    mirror: MirrorSettings | None


def load(path: Path | str | None = None, env: Mapping[str, str] = os.environ, cwd: Path | None = None) -> Settings:
    """The settings of a file: `path`, else the one `SPENDGATE_CONFIG` names, else the nearest going up from `cwd`.

    Raises:
        ConfigError: there is no file, it cannot be read, or it does not say what it must.
    """
    try:
        cwd = cwd or Path.cwd()
        file = cwd / path if path is not None else find(cwd, env)
    except OSError as error:
        problem = f"the folders from here upwards cannot be searched for {NAME}: {error.strerror}"
        raise ConfigError(problem, expected=f"{CONFIG_ENV} naming the file") from None
    if file is None:
        problem = f"there is no {NAME} here or in any folder above; `spendgate init` writes one"
        raise ConfigError(problem, expected=f"a file {NAME}, or {CONFIG_ENV} naming one")
    file = _absolute(file)
    key = CONFIG_ENV if path is None and env.get(CONFIG_ENV) else ""
    return read(_text(file, key), str(file), env)


def find(cwd: Path, env: Mapping[str, str] = os.environ) -> Path | None:
    """The file that `SPENDGATE_CONFIG` names, else the nearest spendgate.toml in `cwd` or a folder above; or None.

    The first of that name is the one, also where it is a folder or a link to nowhere, which `load` refuses.

    Raises:
        OSError: a folder on the way up cannot be searched.
    """
    cwd = _absolute(cwd)
    if env.get(CONFIG_ENV):
        return cwd / env[CONFIG_ENV]
    return next((folder / NAME for folder in (cwd, *cwd.parents) if _exists(folder / NAME)), None)


def _exists(file: Path) -> bool:
    """Whether there is anything of that name, readable or not: a parent's limits never stand in for a broken file."""
    try:
        file.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _absolute(path: Path) -> Path:
    """The whole path, without following links: what is relative to a linked file is relative to the link."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - resolve() follows links


def _text(file: Path, key: str) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        if file.is_symlink():
            problem = f"it is a link to {os.readlink(file)}, and there is no such file"  # noqa: PTH115 - as it is written
            raise ConfigError(problem, file=str(file), key=key) from None
        raise ConfigError("there is no such file; `spendgate init` writes one", file=str(file), key=key) from None
    except UnicodeDecodeError:
        raise ConfigError("this is no text in UTF-8", file=str(file), key=key) from None
    except OSError as error:
        raise ConfigError(f"it cannot be read: {error.strerror}", file=str(file), key=key) from None


def read(text: str, file: str = "", env: Mapping[str, str] | None = None) -> Settings:
    """The settings that a text means. Relative paths in it are relative to the folder of `file`.

    Raises:
        ConfigError: the first thing in it, or in `env`, that is not as it must be.
    """
    document = parse(text, file)
    env = env or {}
    folder = Path(file).parent if file else Path()
    gate, estimate = Table.of(document, "gate"), Table.of(document, "estimate")
    service, version = gate.text("service", MAX_NAME), gate.text("version", MAX_NAME)
    mode = gate.choice("mode", _MODES)
    timezone = _timezone(gate)
    prices = _prices(document, timezone)
    return Settings(
        file=Path(file) if file else None,
        service=_name(env, "gate.service") or service,
        version=_name(env, "gate.version") or version,
        mode=_mode(env) or mode,
        timezone=timezone,
        lapse_after=gate.span("lapse_after", MAX_LAPSE_AFTER),
        lapse_after_batch=gate.span("lapse_after_batch", MAX_LAPSE_AFTER),
        default_max_input_tokens=estimate.whole("max_input_tokens", 0, MAX_QUANTITY),
        default_max_output_tokens=estimate.whole("max_output_tokens", 1, MAX_QUANTITY),
        store=read_store(document, env, folder),
        rules=read_rules(document),
        services=read_services(document),
        limits=read_limits(document, timezone, prices.units()),
        limits_from=gate.choice("limits_from", ("file", "ledger")),
        prices=prices,
        notify=read_routes(document),
        mirror=read_mirror(document, folder),
    )


_MODES = ("enforce", "observe", "off")


def _mode(env: Mapping[str, str]) -> Mode | None:
    name = BY_PATH["gate.mode"].env
    value = env.get(name, "")
    if value in _MODES:
        return value  # type: ignore[return-value]
    if value:
        expected = " or ".join(_MODES)
        raise ConfigError(f"{show(value)} in the environment is no mode", key=name, expected=expected)
    return None


def _name(env: Mapping[str, str], key: str) -> str:
    name = BY_PATH[key].env
    value = env.get(name, "")
    if len(value) > MAX_NAME or not value.isprintable():
        raise ConfigError(f"this is not one line of at most {MAX_NAME} characters", key=name, expected="a name")
    return value


def _timezone(gate: Table) -> str:
    name = gate.text("timezone")
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # not found, no such form of name, a folder of zones
        known = available_timezones()
        problem = f"the time zone {show(name)} does not exist"
        if not known:
            problem = "this machine has no time zones; `pip install tzdata` brings them"
        raise gate.fault("timezone", problem, 'a name such as "Europe/Berlin"', nearest(name, sorted(known))) from None
    return name


def _prices(document: Document, timezone: str) -> RateCard:
    table = document.data.get("prices", {})
    if not isinstance(table, dict):
        raise document.fault(("prices",), "this is no table", '[prices."NAME"] and its keys below it')
    try:
        return read_prices(table, timezone)
    except ConfigError as error:
        line = line_of(lines(document.text), unspell(error.key))
        raise ConfigError(
            error.problem,
            file=document.file,
            line=line,
            key=error.key,
            expected=error.expected,
            nearest=error.nearest,
        ) from None


def origins(text: str, file: str = "", env: Mapping[str, str] | None = None) -> list[Setting]:
    r"""Every setting that a text leads to, defaults included, and where each came from; secrets are masked.

    Raises:
        ConfigError: the text is no configuration (see `read`).

    >>> [setting for setting in origins("[store]\nkeep = '30d'", "spendgate.toml") if setting.key == "store.keep"]
    [Setting(key='store.keep', value='30d', origin='spendgate.toml:2')]
    """
    limits = read(text, file, env).limits
    return listed(parse(text, file), limits, env or {})
