"""The price of an adder and of a graph, worked out from the record of it alone.

Numbers are fractions, so nothing is rounded. A range is (low, high, step).
"""

from fractions import Fraction


def logarithm(value):
    """ceil(log2(value)) of a positive fraction."""
    value = Fraction(value)
    power = value.numerator.bit_length() - value.denominator.bit_length() - 1
    while Fraction(2) ** power < value:
        power += 1
    return power


def top(low, high, step, subtracted=False):
    """Weight above the highest magnitude bit; a subtrahend enters with its ends exchanged."""
    magnitude = max(-low, high if subtracted else high + step)
    return logarithm(magnitude) if magnitude > 0 else -(10**6)


def adder_price(a, b, subtract):
    """Bits of the accumulator of a + b or a - b."""
    high = max(top(*a), top(*b, subtracted=subtract))
    sign = 1 if a[0] < 0 or b[0] < 0 else 0
    return max(0, sign + high - logarithm(max(a[2], b[2])))


def scaled(interval, shift, negative=False):
    factor = Fraction(2) ** shift
    low, high, step = (Fraction(end) * factor for end in interval)
    return (-high, -low, step) if negative else (low, high, step)


def price(adders, inputs):
    """Of a graph: adders are (a, b, shift, sign), inputs are ranges."""
    ranges = [scaled(interval, 0) for interval in inputs]
    total = 0
    for a, b, shift, sign in adders:
        total += adder_price(ranges[a], scaled(ranges[b], shift), sign < 0)
        other = scaled(ranges[b], shift, negative=sign < 0)
        low, high, step = ranges[a]
        ranges.append((low + other[0], high + other[1], min(step, other[2])))
    return total


def coefficients(adders, outputs, inputs):
    """The matrix that a graph computes, as a list of columns."""
    wires = [[Fraction(int(row == number)) for row in range(inputs)] for number in range(inputs)]
    for a, b, shift, sign in adders:
        factor = sign * Fraction(2) ** shift
        wires.append([x + factor * y for x, y in zip(wires[a], wires[b], strict=True)])
    zero = [Fraction(0)] * inputs
    return [
        [sign * Fraction(2) ** shift * x for x in wires[wire]] if wire >= 0 else zero
        for wire, shift, sign in outputs
    ]
