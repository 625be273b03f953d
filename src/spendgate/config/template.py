"""The configuration that `spendgate init` writes. Lines that begin with `#` and no blank are examples to uncomment."""

from typing import Final

TEMPLATE: Final = """\
# What your programs may spend. `spendgate limits check` says it in words;
# `spendgate config show --origin` lists every setting.
# Lines that begin with # and no blank are examples: take the # away to use them.

[gate]
#service = "my-service"           # of calls that name none; SPENDGATE_SERVICE overrides it
mode = "enforce"                  # "observe" only reports what it would have refused; "off" lets everything pass
timezone = "UTC"                  # where a "day", "week" or "month" begins and ends

[store]
url = "sqlite:///.spendgate/ledger.db"   # one ledger for all programs on this machine, beside this file
unavailable = "refuse"            # when the ledger cannot be read: "allow" lets calls pass, counted and reported

# What a call of a model may be sent and may write, where the call does not say: what is set aside for it. Without these
# it is the model's whole context, for a large model more than a limit of $5 has room for.
#[estimate]
#max_input_tokens = 50000
#max_output_tokens = 4096

# What becomes of a service's calls that are refused: "raise" (without a word), "fallback", "wait" or "skip".
#[services.my-service]
#when_refused = "fallback"
#fallback = "gpt-4o-mini"         # or a model at home: { model = "qwen3:8b", url = "http://127.0.0.1:11434/v1" }
#estimate = "learned"             # set aside what such calls have come to before, not the most they can cost

# Four limits. Each is a whole of its own: a call is sent only where it fits into every one of them.
# A runaway of a night stops at the first, a leak of a day at the third, and 25 services just under their own limits
# at the last.

[[limits]]
name = "hourly"
usd = "5.00"
window = "1h"                     # the last hour, at every instant
per = ["service"]                 # for each service
warn_at = [0.8]

[[limits]]
name = "six-hourly"
usd = "15.00"
window = "6h"
per = ["service"]
warn_at = [0.8]

[[limits]]
name = "daily"
usd = "50.00"
window = "24h"
per = ["service"]
warn_at = [0.8]

[[limits]]
name = "total"                    # over all services: without it each new name would bring a fresh budget
usd = "80.00"
window = "24h"
warn_at = [0.5, 0.8]

# A budget of calls, for an API that sells them; beyond it ten a minute may pass.
#[[limits]]
#name = "clearbit-daily"
#match = { resource = "clearbit.*" }
#calls = 20000
#window = "day"
#warn_at = [0.8]
#at_limit = "throttle"
#throttle_to = "10/min"

# What a call of an API costs that is no language model; those have list prices already.
#[prices."clearbit.enrich"]
#per_call = "0.004"

# Who is told when a limit blocks, a breaker is tripped or a warning is reached; `spendgate notify test` tries it.
#[notify]
#webhook = "env:SPENDGATE_WEBHOOK"
#command = ["sh", "-c", "logger -t spendgate 'a budget needs you'"]

# What happens, as one JSON object a line, one file a day, for grep and jq.
#[mirror]
#dir = ".spendgate/log"
#keep = "30d"
"""
