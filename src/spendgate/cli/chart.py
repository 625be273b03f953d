"""Numbers as a line of blocks, for a terminal.

>>> sparkline([0, 1, 2, 4, 8], top=8)
'▁▂▃▅█'
"""

from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], top: float = 0) -> str:
    """One block per value, as high as its share of `top`, or of the largest value where that is 0.

    >>> sparkline([0, 0])
    '▁▁'
    """
    top = top or max(values, default=0)
    if top <= 0:
        return BLOCKS[0] * len(values)
    last = len(BLOCKS) - 1
    return "".join(BLOCKS[min(last, int(value / top * last + 0.5))] for value in values)


def bar(share: float, width: int) -> str:
    """A bar that fills `share` of `width` columns, to an eighth of a column.

    >>> bar(0.5, 4), bar(0.03, 4), bar(0, 4)
    ('██', '▏', '')
    """
    eighths = round(max(0.0, min(share, 1.0)) * width * 8)
    if share > 0:
        eighths = max(eighths, 1)
    whole, rest = divmod(eighths, 8)
    return "█" * whole + "▏▎▍▌▋▊▉"[rest - 1] * bool(rest)
