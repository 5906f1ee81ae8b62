"""A profile as shapes: what the page and the picture of a profile draw."""

from collections.abc import Iterator
from dataclasses import dataclass

from shared.contracts.ingest import ColumnProfile, CommonValue, Profile
from shared.values.labels import clean
from shared.values.types import FLOAT_TYPES

CHART_PX = 300
CHART_HEIGHT_PX = 36
GAP_PX = 1
SHOWN_COMMON = 3
FREQUENT = 0.005
"""The share of the rows from which on a value is worth a bar."""
FLOATS = frozenset(kind.value for kind in FLOAT_TYPES)


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a histogram, its foot at the bottom of the chart."""

    x_px: float
    y_px: float
    width_px: float
    height_px: float
    title: str


@dataclass(frozen=True, slots=True)
class Share:
    """One of the commonest values, and what share of the rows has it."""

    value: str
    share: float
    text: str


@dataclass(frozen=True, slots=True)
class ColumnShapes:
    """All that is drawn of one column, as text without control characters."""

    name: str
    type: str
    nulls: float
    """Share of the rows, from 0 to 1."""
    nulls_text: str
    distinct_text: str
    range_text: str | None
    mean_text: str | None
    bars: tuple[Bar, ...]
    shares: tuple[Share, ...]
    note: str | None
    """In place of a chart."""


def shapes(profile: Profile) -> Iterator[ColumnShapes]:
    """What is drawn of each column, in order."""
    for column in profile.columns:
        yield _shapes(column, rows=profile.rows)


def _shapes(column: ColumnProfile, *, rows: int) -> ColumnShapes:
    bars = tuple(_bars(column))
    # A column of few different values is told by them; a histogram would only spell them apart.
    few = not column.distinct_approximate and column.distinct <= SHOWN_COMMON
    shares = tuple(_shares(column.common, rows=rows)) if few or not bars else ()
    if not few and shares and shares[0].share < FREQUENT:
        shares = ()
    about = "≈ " if column.distinct_approximate else ""
    return ColumnShapes(
        name=clean(column.column),
        type=column.type,
        nulls=column.nulls / rows,
        nulls_text=f"{percent(column.nulls / rows)} null" if column.nulls else "no nulls",
        distinct_text=f"{about}{column.distinct:,} different",
        range_text=_range(column),
        mean_text=None if column.mean is None else f"mean {column.mean:,.6g}",
        bars=() if shares else bars,
        shares=shares,
        note=None if shares or bars else _note(column, rows=rows),
    )


def _range(column: ColumnProfile) -> str | None:
    if column.min is None or column.max is None:
        return None
    least, most = (
        # A double has 17 digits, of which nobody reads the last ten.
        f"{float(end):.6g}" if column.type in FLOATS else clean(end)
        for end in (column.min, column.max)
    )
    return least if least == most else f"{least} … {most}"


def _note(column: ColumnProfile, *, rows: int) -> str:
    if not column.distinct:
        return "nothing but nulls"
    if column.distinct + column.nulls == rows:
        return "every value is another"
    return "no value is frequent"


def _bars(column: ColumnProfile) -> Iterator[Bar]:
    highest = max((each.count for each in column.histogram), default=0)
    step_px = CHART_PX / max(1, len(column.histogram))
    for place, each in enumerate(column.histogram):
        # What is there at all is seen.
        height_px = max(1.0, CHART_HEIGHT_PX * each.count / highest) if each.count else 0.0
        yield Bar(
            x_px=round(place * step_px, 2),
            y_px=round(CHART_HEIGHT_PX - height_px, 2),
            width_px=round(step_px - GAP_PX, 2),
            height_px=round(height_px, 2),
            title=f"{clean(each.from_)} to {clean(each.to)}: {rows_text(each.count)}",
        )


def _shares(common: tuple[CommonValue, ...], *, rows: int) -> Iterator[Share]:
    for each in common[:SHOWN_COMMON]:
        share = min(1.0, each.count / rows)
        yield Share(value=clean(each.value) or "(empty)", share=share, text=percent(share))


def percent(share: float) -> str:
    """A share for people: `12.3 %`; what is not nothing is never 0 %, nor what is not all 100 %."""
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    return f"{share:.1%}".replace(".0%", "%").replace("%", " %")


def rows_text(count: int) -> str:
    """A number of rows."""
    return "1 row" if count == 1 else f"{count:,} rows"
