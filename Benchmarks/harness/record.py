"""Everything as JSON, for whoever wants to look at it in another way."""

import json
import math
import os
import platform


def write(path, options, plan, results, checks, targets):
    everything = {
        "kernel": platform.release(),
        "processors": os.cpu_count(),
        "unit": "ns, bytes",
        "options": {name: value for name, value in vars(options).items() if name not in ("json", "programs")},
        "not_measured": [
            {"contestant": name, "kind": kind, "reason": why} for (kind, name), why in plan.left_out.items()
        ],
        "targets": [vars(target) | {"verdict": target.verdict} for target in targets.all],
        "checks": checks
        and {
            "memory_beyond_slots": checks.memory,
            "system_calls_per_frame": {" ".join(key): value for key, value in checks.calls.items()},
            "allocations_per_frame": {" ".join(key): finite(value) for key, value in checks.allocations.items()},
            "failures": checks.failures,
        },
        "runs": [
            {
                "round": result.round,
                "failure": result.failure,
                **vars(result.cell),
                "publisher": result.publisher,
                "readers": result.readers,
                "publishing": list(result.publishing),
                "latencies": list(result.latencies),
            }
            for result in results
        ],
    }
    # Whole or not at all: a file that is half written looks like a result.
    with open(f"{path}.part", "w") as file:
        json.dump(everything, file)
    os.replace(f"{path}.part", path)


def finite(value):
    return None if math.isnan(value) else value
