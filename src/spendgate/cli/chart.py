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


def columns(whole: Sequence[float], part: Sequence[float], height: int) -> list[tuple[str, str]]:
    """Columns of `whole` with the `part` of each at its foot, as rows from the top down: of the part, and the rest.

    In each row both texts are as wide as the chart, and where one has a block the other has a blank. What is above 0
    shows.

    >>> for low, high in columns([4, 2, 0], [1, 2, 0], height=4):
    ...     print(f"{low}|{high}|")
       |░  |
       |░  |
     █ |░  |
    ██ |   |
    """
    top = max(whole, default=0) or 1
    rows = []
    for row in range(height, 0, -1):
        low = [_reaches(value, top, height, row) for value in part]
        high = [_reaches(value, top, height, row) for value in whole]
        rows.append(
            (
                "".join("█" if is_low else " " for is_low in low),
                "".join("░" if is_high and not is_low else " " for is_low, is_high in zip(low, high, strict=True)),
            )
        )
    return rows


def _reaches(value: float, top: float, height: int, row: int) -> bool:
    return value > 0 and (row == 1 or value / top * height > row - 0.5)
