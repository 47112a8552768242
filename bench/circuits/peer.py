"""da4ml's graphs, run as its users run it, with fixed options."""

import time

import numpy as np
from da4ml.cmvm import solve
from da4ml.types import QInterval

from matrices import inputs
from prices import adder_price, scaled

OPTIONS = {"adder_size": 1, "carry_size": -1}


def run(case):
    """Cost, CPU seconds, adders, adder levels, and its cost by our price."""
    kernel = np.array(case["kernel"], dtype=np.float64).reshape(case["shape"])
    kernel = (kernel * 2.0 ** -case.get("fraction_bits", 0)).astype(np.float32)
    intervals = [QInterval(*map(float, interval)) for interval in inputs(case)]
    start = time.process_time()
    solution = solve(kernel, qintervals=intervals, **OPTIONS)
    seconds = time.process_time() - start
    adders = repriced = 0
    for stage in solution.solutions:
        for operation in stage.ops:
            if operation.opcode not in (0, 1):
                continue
            a = scaled(stage.ops[operation.id0].qint, 0)
            b = scaled(stage.ops[operation.id1].qint, operation.data)
            repriced += adder_price(a, b, operation.opcode == 1)
            adders += 1
    last = solution.solutions[-1]
    depth = max((last.ops[wire].latency for wire in last.out_idxs if wire >= 0), default=0.0)
    return {
        "cost": float(solution.cost),
        "adders": adders,
        "depth": depth,
        "seconds": seconds,
        "cost_repriced": repriced,
        "graph": graph(solution, case["shape"][0]),
    }


def graph(solution, inputs):
    """Its adders and outputs as one graph in our record's form."""
    # What each input of a stage is: (wire, shift, sign).
    entering = [(number, 0, 1) for number in range(inputs)]
    adders, count = [], inputs
    for stage in solution.solutions:
        wires = []
        for operation in stage.ops:
            if operation.opcode == -1:
                wire, shift, sign = entering[operation.id0]
                wires.append((wire, shift + stage.inp_shifts[operation.id0], sign))
            elif operation.opcode in (0, 1):
                a, shift_a, sign_a = wires[operation.id0]
                b, shift_b, sign_b = wires[operation.id1]
                sign = sign_a * sign_b * (-1 if operation.opcode == 1 else 1)
                adders.append([a, b, shift_b + operation.data - shift_a, sign])
                wires.append((count, shift_a, sign_a))
                count += 1
            else:
                raise SystemExit(f"da4ml: operation {operation.opcode} in a constant product")
        entering = [
            (-1, 0, 1) if wire < 0 else (
                wires[wire][0],
                wires[wire][1] + stage.out_shifts[number],
                wires[wire][2] * (-1 if stage.out_negs[number] else 1),
            )
            for number, wire in enumerate(stage.out_idxs)
        ]
    return {"adders": adders, "outputs": [list(output) for output in entering]}
