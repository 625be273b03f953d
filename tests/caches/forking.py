"""Runs a function in a forked child."""

import json
import os
import traceback
from collections.abc import Callable
from typing import Any


def in_child(work: Callable[[], Any]) -> Any:
    """What the function returns there, as JSON has it."""
    reads, writes = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            found = json.dumps(work())
        except BaseException:  # noqa: BLE001 - told to the parent
            found = json.dumps(traceback.format_exc())
        with os.fdopen(writes, "w") as pipe:
            pipe.write(found)
        os._exit(0)
    os.close(writes)
    with os.fdopen(reads) as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    return json.loads(text)
