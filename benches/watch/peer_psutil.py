"""Samples the daemons `watched-*` and their descendants with psutil: the columns of --fields resources, as CSV.

The first argument says how the processes are found. `children` looks for the daemons and asks for the children of each, in each
sample; `pass` goes once over all processes in each sample, and finds the children by their parents; `once` looks before the
first sample only, as wazuh-metrics does, and never sees a new child or a restarted daemon."""
import csv
import sys
import time

import psutil

how, samples = sys.argv[1], int(sys.argv[2])
known = {}


def by_children():
    found = {}
    for process in psutil.process_iter(["name"]):
        if process.info["name"].startswith("watched-"):
            for one in [process, *process.children(recursive=True)]:
                found[one.pid] = one
    return found


def by_one_pass():
    everything = {process.pid: process for process in psutil.process_iter(["name", "ppid"])}
    found = {pid: one for pid, one in everything.items() if one.info["name"].startswith("watched-")}
    is_complete = False
    while not is_complete:
        new = {pid: one for pid, one in everything.items() if one.info["ppid"] in found and pid not in found}
        found.update(new)
        is_complete = not new
    return found


out = csv.writer(sys.stdout)
for sample in range(samples):
    if how != "once" or not known:
        # cpu_percent compares with the last call of the same object.
        known = {pid: known.get(pid, one) for pid, one in (by_one_pass() if how == "pass" else by_children()).items()}
    for process in known.values():
        with process.oneshot():
            memory, io = process.memory_full_info(), process.io_counters()
            out.writerow([process.name(), process.pid, process.cpu_percent(), memory.vms, memory.rss, memory.uss, memory.pss,
                          memory.swap, process.num_fds(), io.read_count, io.write_count, io.read_bytes, io.write_bytes,
                          time.time()])
    sys.stdout.flush()
    time.sleep(0.02 if sample + 1 < samples else 0)
