"""PostgreSQL's binary form of an unbounded NUMERIC, which keeps every digit as it was written."""

import struct

_NEGATIVE = 0x4000
_GROUP = 4


def numeric_binary(sign: int, digits: str, exponent: int) -> bytes:
    """`numeric_send`'s form of (-1)^sign * digits * 10^exponent; zero has no digits.

    16-bit words: number of groups, weight of the first group, sign, digits shown after the
    point; then the groups, base 10,000.
    """
    scale = max(0, -exponent)
    if not digits:
        return struct.pack(">hhHH", 0, 0, 0, scale)
    if exponent > 0:
        digits += "0" * exponent
        exponent = 0
    before = len(digits) - scale
    if before > 0:
        whole, fraction = digits[:before], digits[before:]
    else:
        whole, fraction = "", "0" * -before + digits
    whole = whole.rjust(-(-len(whole) // _GROUP) * _GROUP, "0")
    fraction = fraction.ljust(-(-len(fraction) // _GROUP) * _GROUP, "0")
    text = whole + fraction
    groups = [int(text[at : at + _GROUP]) for at in range(0, len(text), _GROUP)]
    weight = len(whole) // _GROUP - 1
    while groups and groups[0] == 0:
        del groups[0]
        weight -= 1
    while groups and groups[-1] == 0:
        del groups[-1]
    return struct.pack(
        f">hhHH{len(groups)}H", len(groups), weight, _NEGATIVE if sign else 0, scale, *groups
    )
