"""One measurement of asyncio in a process of its own: python3 child.py JOB, as child.mjs does it."""

import json
import os
import sys
import time

from workloads import WORKLOADS


def main() -> None:
    job = json.loads(sys.argv[1])
    run_workload = WORKLOADS[job["workload"]]
    # Two workloads nest 1,000 calls.
    sys.setrecursionlimit(10_000)
    if job["kind"] == "memory":
        measure_memory(job, run_workload)
    else:
        report({"points": measure_points(job, run_workload)})


def report(output: dict) -> None:
    print(json.dumps(output), flush=True)
    # Whatever is still parked is left behind.
    os._exit(0)


def measure_points(job: dict, run_workload) -> list:
    # The first point only, as in child.mjs; CPython's adaptive interpreter needs less than that.
    time_once(run_workload, job["points"][0])
    return [repeat(run_workload, point, job["seconds"]) for point in job["points"]]


def repeat(run_workload, point: dict, seconds: float) -> dict:
    repetitions = []
    begin = time.perf_counter()
    while True:
        repetitions.append(time_once(run_workload, point))
        elapsed = time.perf_counter() - begin
        if elapsed >= seconds and (len(repetitions) >= 2 or elapsed >= 2 * seconds):
            break
    repetitions.sort(key=lambda repetition: repetition["seconds"])
    return repetitions[(len(repetitions) - 1) // 2]


def time_once(run_workload, point: dict) -> dict:
    cpu = time.process_time()
    begin = time.perf_counter()
    run_workload(point["parameters"], lambda: None)
    return {
        "operations": point["operations"],
        "seconds": time.perf_counter() - begin,
        "cpuSeconds": time.process_time() - cpu,
    }


def measure_memory(job: dict, run_workload) -> None:
    (point,) = job["points"]
    # A few tasks first, so that the loop's own objects do not count.
    run_workload({**point["parameters"], "tasks": 1000}, lambda: None)
    before = resident_bytes()

    def parked() -> None:
        rss_bytes = (resident_bytes() - before) / point["operations"]
        report({"memory": {"heapBytes": None, "rssBytes": rss_bytes}})

    run_workload(point["parameters"], parked)


def resident_bytes() -> int:
    """Of Linux only: elsewhere the measurement fails and its cell stays empty."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


main()
