"""The picture of the recorded walk: its lines appear as they were printed."""

import re
from xml.etree import ElementTree as ET

from demo.drawing import Scene, drawn
from demo.walk import CUSTOMERS, PICTURE, STEPS
from deploy.local.environment import ROOT

SVG = "{http://www.w3.org/2000/svg}"
SCENES = (
    Scene("first --option", "one\n\x1b[1mtwo\x1b[0m <&>\n"),
    Scene("second", ""),
    Scene("third", "x" * 50 + "\n"),
)


def moments(svg: str) -> dict[str, float]:
    """When each text appears, in seconds."""
    delays = dict(re.findall(r"g\.(m\d+)\{animation-delay:([\d.]+)s\}", svg))
    shown: dict[str, float] = {}
    for group in ET.fromstring(svg).iter(f"{SVG}g"):
        name = group.get("class", "")
        for text in group.findall(f"{SVG}text") if name in delays else ():
            words = (text.text or "").replace("\u00a0", " ").strip()
            shown[words] = float(delays[name])
    return shown


def test_lines_appear_in_the_order_in_which_they_were_printed() -> None:
    at = moments(drawn(SCENES, columns=40, title="t"))
    assert at["first --option"] < at["one"] == at["two"] < at["second"] < at["third"]
    assert at["third"] < at["x" * 40] == at["x" * 10]


def test_who_wants_less_motion_sees_everything() -> None:
    svg = drawn(SCENES, columns=40, title="t")
    assert "@media (prefers-reduced-motion){g[class^=m]{animation:none}}" in svg


def test_the_picture_in_readme_is_of_the_walks_commands_and_asks_no_server() -> None:
    svg = PICTURE.read_text()
    shown = " ".join(moments(svg))
    for step in STEPS:
        assert step.words.split()[0] in shown
    assert CUSTOMERS.splitlines()[0] in shown
    assert "@font-face" not in svg
    assert "/tmp" not in svg
    assert str(PICTURE.relative_to(ROOT)) in (ROOT / "README.md").read_text()
