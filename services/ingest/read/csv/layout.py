"""What the records of a delimited file look like, beside how they are quoted."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Layout:
    """`names`: of a record's fields, each once."""

    names: tuple[str, ...]
    trailing: bool = False
    """Records end with one more delimiter."""
    leading: bool = False
    """Records begin with a delimiter."""
    ruled: bool = False
    """Lines drawn between rows are left out, and counted."""
    fill_short: bool = False
    """Missing last fields are null; without it such a record is refused."""
    skip_blank: bool = False
    """Records of nothing but empty fields are left out, and counted."""
    header_cells: tuple[str | None, ...] = ()
    """The header, whose repetitions are left out."""
    quote_guessed: bool = False
    """Nobody named the quote: records of several lines that fit without it too are ambiguous."""
    numeric: tuple[int, ...] = ()
    """Fields that hold nothing but numbers, dates and nothing, as far as the head shows."""
    report: bool = False
    """The file is a report of refused rows."""

    @property
    def width(self) -> int:
        """The most fields of a record."""
        return self.leading + len(self.names) + self.trailing

    @property
    def least_width(self) -> int:
        """The fewest."""
        return 1 if self.fill_short else self.leading + len(self.names)
