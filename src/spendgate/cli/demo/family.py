"""How the processes of a night talk: one JSON object a line over stdin and stdout, and nobody outlives the parent."""

import json
import os
import sys
import threading
from typing import Any


def say(**data: object) -> None:
    """Tells the parent."""
    sys.stdout.write(json.dumps(data) + "\n")
    sys.stdout.flush()


def hear() -> dict[str, Any]:
    """Waits for a word of the parent; ends the process where there is no parent any more."""
    line = sys.stdin.readline()
    if not line:
        sys.exit(1)
    told: dict[str, Any] = json.loads(line)
    return told


def stay_while_wanted() -> None:
    """Ends this process when the parent lets go of it, however the parent ends."""

    def watch() -> None:
        os.read(0, 1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
