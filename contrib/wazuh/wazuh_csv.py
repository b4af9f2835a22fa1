"""Makes the CSV files of Wazuh's process monitor, wazuh-metrics, from procline's records. Spreadsheets that read those files
also read these. README.md says which options of procline replace which of wazuh-metrics. It needs Python 3.7 and no other
package."""
import argparse
import csv
import signal
import sys
from pathlib import Path

# A package's folder must not get a cache that the package does not know.
sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from records import Records, Unusable  # noqa: E402

UNITS = {"B": 0, "KB": 1, "MB": 2}
# Columns, and the fields that they are made of. procline prints KiB for the first and bytes for the last.
MEMORY = {"VMS": "vsz", "RSS": "rss", "USS": "uss", "PSS": "pss", "SWAP": "swap"}
COUNTS = {"FD": "fds", "Read_Ops": "read_ops", "Write_Ops": "write_ops"}
DISK = {"Disk_Read": "read_bytes", "Disk_Written": "write_bytes"}
SPEED = {"Disk_Read_Speed": "read_bytes", "Disk_Write_Speed": "write_bytes"}
NEEDED = ["timestamp", "matched", "pid", "vsz"]
COLUMNS = ["cpu_now", *MEMORY.values(), *COUNTS.values(), *DISK.values()]


class Numbers:
    """Which process of a daemon is which child. A number becomes free when its process is gone, so that the files of a
    restarted daemon go on."""

    def __init__(self):
        self.of_pid = {}

    def next(self, records):
        """Takes the daemon's records of the next snapshot. 0 is the daemon itself: none of the others is its parent."""
        pids = [record["pid"] for record in records]
        self.of_pid = {pid: number for pid, number in self.of_pid.items() if pid in pids}
        new = [record for record in records if record["pid"] not in self.of_pid]
        # Parents come before their children, and the sort keeps the order of the rest.
        for record in sorted(new, key=lambda record: record.get("ppid") in pids):
            taken = set(self.of_pid.values())
            lowest = 1 if record.get("ppid") in pids else 0
            self.of_pid[record["pid"]] = next(number for number in range(lowest, len(taken) + 2) if number not in taken)


class Converter:
    """Writes a file for each daemon and each of its children."""

    def __init__(self, options):
        self.options = options
        unit = options.units
        self.header = ["Daemon", "Version", "Timestamp", "PID", "CPU(%)"]
        self.header += [f"{name}({unit})" for name in MEMORY]
        self.header += list(COUNTS)
        self.header += [f"{name}({unit})" for name in DISK]
        if options.speeds:
            self.header += [f"{name}({unit}/s)" for name in SPEED]
        self.numbers = {}
        self.before = {}
        self.files = {}
        self.computer = None

    def snapshot(self, records):
        """Adds a row to the file of each process."""
        daemons = {}
        for record in records:
            computer = record.get("Computer")
            if self.computer not in (None, computer):
                raise Unusable(f"there are records of {self.computer} and of {computer}; convert each machine by itself")
            self.computer = computer
            daemons.setdefault(record["matched"], []).append(record)
        for daemon in self.numbers.keys() - daemons.keys():
            self.numbers[daemon].next([])
        for daemon, of_daemon in daemons.items():
            numbers = self.numbers.setdefault(daemon, Numbers())
            numbers.next(of_daemon)
            for record in of_daemon:
                number = numbers.of_pid[record["pid"]]
                name = f"{daemon}_child_{number}" if number else daemon
                self.file(name).writerow(self.row(name, record))
        self.before = {record["pid"]: record for record in records}
        for file, _ in self.files.values():
            file.flush()

    def row(self, name, record):
        """The cells of a record. What procline did not know is an empty cell."""
        time = record["time"].astimezone() if self.options.local else record["time"]
        version = self.options.version if self.options.version is not None else record.get("version", "")
        cells = [name, version, time.strftime("%Y/%m/%d %H:%M:%S"), record["pid"], record.get("cpu_now", "")]
        cells += [self.unit(record.get(field), 1024) for field in MEMORY.values()]
        cells += [record.get(field, "") for field in COUNTS.values()]
        cells += [self.unit(record.get(field), 1) for field in DISK.values()]
        if self.options.speeds:
            cells += [self.speed(record, field) for field in SPEED.values()]
        return cells

    def unit(self, number, size):
        return "" if number is None else round(number * size / 1024 ** UNITS[self.options.units], 2)

    def speed(self, record, field):
        """Bytes per second since the snapshot before. 0 for the first row of a process."""
        if field not in record:
            return ""
        before = self.before.get(record["pid"], {})
        growth = record[field] - before.get(field, record[field])
        # It shrinks only if another process has the same pid.
        if growth <= 0:
            return 0.0
        return self.unit(growth / (record["time"] - before["time"]).total_seconds(), 1)

    def file(self, name):
        """The writer of a file, which begins with the header."""
        if name not in self.files:
            # A process may put a slash into its own name.
            path = self.options.store_process / f"{name.replace('.py', '').replace('/', '_')}.csv"
            is_new = not path.exists()
            if not is_new and not self.options.append:
                raise Unusable(f"{path} exists; name another directory with --store-process, or use --append")
            if not is_new:
                with open(path, newline="", encoding="utf-8") as old:
                    if next(csv.reader(old), None) != self.header:
                        raise Unusable(f"{path} has another header; name another directory with --store-process")
            file = open(path, "a" if self.options.append else "x", newline="", encoding="utf-8")
            self.files[name] = file, csv.writer(file)
            if is_new:
                self.files[name][1].writerow(self.header)
        return self.files[name][1]


def arguments():
    parser = argparse.ArgumentParser(description="Make the CSV files of wazuh-metrics from procline's records.")
    option = parser.add_argument
    option("files", metavar="FILE", nargs="*", default=["-"], help="JSON lines or CSV; standard input by default")
    option("-u", "--units", choices=UNITS, default="KB", help="unit of memory and bytes: KB, of 1024 bytes, by default")
    option("-v", "--version", help="the column Version; by default that of procline's --label version=...")
    option("--store-process", metavar="DIR", type=Path, default=Path(), help="directory of the files; . by default")
    option("--append", action="store_true", help="append to files that exist")
    option("--local", action="store_true", help="local time in the column Timestamp, as wazuh-metrics has it, not UTC")
    option("--no-speeds", dest="speeds", action="store_false", help="omit the last two columns")
    return parser.parse_args()


def main():
    options = arguments()
    records = Records(NEEDED, COLUMNS)
    if options.files == ["-"]:
        # Ctrl-C ends procline too. What it has printed must still be converted.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        options.store_process.mkdir(parents=True, exist_ok=True)
        converter = Converter(options)
        for snapshot in records.snapshots(options.files):
            converter.snapshot(snapshot)
        if not converter.files:
            raise Unusable("there are no records; run procline with --interval, --name and --fields resources")
    except Unusable as error:
        sys.exit(f"wazuh_csv.py: {error}")
    except OSError as error:
        sys.exit(f"wazuh_csv.py: cannot write: {error}")
    sys.exit(1 if records.skipped else 0)


if __name__ == "__main__":
    main()
