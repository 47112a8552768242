"""What a report must hold: verdict.py REPORT prints what does not, and ends with 1.

>>> row = {"file": "a", "name": "0.1", "cost_da4ml": 8.0, "cost_da4ml_repriced": 8.0, "cost_da4ml_differs": False}
>>> network = {"file": "a", "network": 0, "cost": 90, "cost_da4ml": 100.0, "cost_da4ml_recorded": 101.0}
>>> good = {"cost_ratio_geomean": 0.93, "networks": [network], "cases": [row]}
>>> faults(good)
[]
>>> faults(good | {"cost_ratio_geomean": 1.001, "networks": [network | {"cost": 102}]})
['cost_ratio_geomean is 1.001: at most 1 is accepted', 'a, network 0: the sum of its layers is 102: at most 101.0 is accepted']
>>> faults(good | {"networks": [network | {"cost": 102, "cost_da4ml_recorded": None}]})
[]
>>> faults(good | {"cost_ratio_geomean": None})
['cost_ratio_geomean is missing: nothing was compared']
>>> faults(good | {"cases": [row | {"cost_da4ml_repriced": 9.0, "cost_da4ml_differs": True}]})
["a 0.1: our price of da4ml's graph is 9.0, da4ml's 8.0"]
"""

import json
import sys
from pathlib import Path


def of_prices(report):
    """Graphs of da4ml whose price by `prices.py` is not the one that da4ml says."""
    return [
        f"{row['file']} {row['name']}: our price of da4ml's graph is {row['cost_da4ml_repriced']}, da4ml's {row['cost_da4ml']}"
        for row in report["cases"]
        if row["cost_da4ml_differs"]
    ]


def faults(report):
    """Prices that differ, graphs that cost more than da4ml's in the geometric mean, networks that cost more than recorded."""
    found = of_prices(report)
    mean = report["cost_ratio_geomean"]
    if mean is None:
        found.append("cost_ratio_geomean is missing: nothing was compared")
    elif mean > 1:
        found.append(f"cost_ratio_geomean is {mean}: at most 1 is accepted")
    for network in report["networks"]:
        most = network["cost_da4ml_recorded"]
        if most is not None and network["cost"] > most:
            found.append(
                f"{network['file']}, network {network['network']}: the sum of its layers is {network['cost']}: at most {most} is accepted"
            )
    return found


if __name__ == "__main__":
    if found := faults(json.loads(Path(sys.argv[1]).read_text())):
        raise SystemExit("\n".join(found))
