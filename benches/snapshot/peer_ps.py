"""What a short script over `ps aux` does (seed 1), in Python 3."""
import datetime
import json
import socket
import subprocess

HEADERS = ["user", "pid", "cpuUtilization", "memoryUtilization", "vsz", "rss", "tty", "stat", "start", "cpuTime",
           "command", "Computer", "timestamp"]
computer = socket.gethostname()
timestamp = datetime.datetime.now(datetime.timezone.utc).isoformat()
for line in subprocess.run(["ps", "aux", "--no-headers"], capture_output=True, check=True).stdout.splitlines():
    row = line.decode("utf-8", "replace").strip().split(None, len(HEADERS) - 3)
    print(json.dumps(dict(zip(HEADERS, row + [computer, timestamp]))))
