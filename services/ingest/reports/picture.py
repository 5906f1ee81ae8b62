"""A profile as an SVG picture: a row for each column."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from services.ingest.reports.shapes import CHART_HEIGHT_PX, CHART_PX, rows_text, shapes
from shared.contracts.ingest import Profile
from shared.values.labels import clean, cut

ROW_PX = 64
HEADER_PX = 56
WIDTH_PX = 960
NAME_LETTERS = 30
VALUE_LETTERS = 22

templates = Environment(
    loader=PackageLoader("services.ingest", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def short(text: str, letters: int) -> str:
    """A text cut to so many letters, as wide ones count twice."""
    return cut(text, limit=letters)


templates.filters["short"] = short


def profile_svg(profile: Profile, *, title: str) -> str:
    """The picture; whatever people named is text in it, never markup."""
    sampled = profile.sampled_rows
    about = "" if sampled is None else f", charts from {rows_text(sampled)} of them"
    return templates.get_template("profile.svg.j2").render(
        title=clean(title),
        subtitle=f"{rows_text(profile.rows)}{about}",
        columns=list(shapes(profile)),
        row_px=ROW_PX,
        header_px=HEADER_PX,
        width_px=WIDTH_PX,
        height_px=HEADER_PX + ROW_PX * len(profile.columns) + 12,
        chart_px=CHART_PX,
        chart_height_px=CHART_HEIGHT_PX,
        name_letters=NAME_LETTERS,
        value_letters=VALUE_LETTERS,
    )
