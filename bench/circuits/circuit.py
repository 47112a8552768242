"""Verilog of a graph, the same for both solvers: one adder a line on unsigned wires, signs extended by concatenation.

Combinational, without registers. A negative output is subtracted from zero. Ranges are propagated from the inputs.
"""

from prices import logarithm, scaled


def bits(wire):
    """Whether the codes of a range are signed, and their width."""
    low, high, step = wire
    low, high = low / step, high / step
    signed = low < 0
    magnitude = max(-low, high + 1)
    return signed, max(1, (logarithm(magnitude) if magnitude > 0 else 0) + signed)


def operand(name, wire, step, width):
    """A wire as `width` bits in units of `step`."""
    signed, own = bits(wire)
    zeros = logarithm(wire[2] / step)
    copies = width - own - zeros
    if copies < 0:
        # The result is narrower than an operand: what is cut is copies of the sign.
        return f"{{{name}[{own + copies - 1}:0], {zeros}'b0}}" if zeros else f"{name}[{own + copies - 1}:0]"
    parts = [f"{{{copies}{{{name}[{own - 1}]}}}}" if signed else f"{copies}'b0"] if copies else []
    parts.append(name)
    if zeros:
        parts.append(f"{zeros}'b0")
    return "{" + ", ".join(parts) + "}"


def verilog(graph, inputs):
    """Of a graph over the given ranges."""
    ranges = [scaled(interval, 0) for interval in inputs]
    used = [bits(wire)[1] for wire in ranges]
    lines = []
    for number, (wire, width) in enumerate(zip(ranges, used, strict=True)):
        low = sum(used[:number])
        lines.append(f"  wire [{width - 1}:0] w{number} = inputs[{low + width - 1}:{low}];")

    def add(left, right, sign, name):
        """One line; operands are (name, range)."""
        (a, range_a), (b, range_b) = left, right
        step = min(range_a[2], range_b[2])
        other = (range_b[0], range_b[1]) if sign > 0 else (-range_b[1], -range_b[0])
        total = (range_a[0] + other[0], range_a[1] + other[1], step)
        width = bits(total)[1]
        symbol = "+" if sign > 0 else "-"
        a, b = operand(a, range_a, step, width), operand(b, range_b, step, width)
        lines.append(f"  wire [{width - 1}:0] {name} = {a} {symbol} {b};")
        return total

    for a, b, shift, sign in graph["adders"]:
        right = scaled(ranges[b], shift)
        ranges.append(add((f"w{a}", ranges[a]), (f"w{b}", right), sign, f"w{len(ranges)}"))
    outputs = []
    for number, (wire, shift, sign) in enumerate(graph["outputs"]):
        if wire < 0:
            continue
        name = f"w{wire}"
        if sign < 0:
            low, high, step = ranges[wire]
            name = f"y{number}"
            total = (-high, -low, step)
            width = bits(total)[1]
            lines.append(f"  wire [{width - 1}:0] {name} = {width}'b0 - {operand(f'w{wire}', ranges[wire], step, width)};")
        else:
            width = bits(ranges[wire])[1]
        outputs.append((name, width))
    total = sum(width for _, width in outputs)
    joined = ", ".join(name for name, _ in reversed(outputs))
    head = f"module graph (\n  input wire [{max(1, sum(used)) - 1}:0] inputs,\n  output wire [{max(1, total) - 1}:0] outputs\n);\n"
    tail = f"  assign outputs = {{{joined}}};\n" if outputs else "  assign outputs = 1'b0;\n"
    return head + "\n".join(lines) + "\n" + tail + "endmodule\n"
