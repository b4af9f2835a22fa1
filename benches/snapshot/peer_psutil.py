"""What a short script over psutil does."""
import json
import socket

import psutil

ATTRIBUTES = ["username", "pid", "cpu_times", "memory_percent", "memory_info", "terminal", "status", "create_time",
              "cmdline"]
computer = socket.gethostname()
for process in psutil.process_iter(ATTRIBUTES):
    print(json.dumps({**process.info, "Computer": computer}))
