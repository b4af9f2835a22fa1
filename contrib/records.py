"""Reads the records that procline prints with --fields resources: JSON lines or CSV. `wazuh/` and `plots/` use it. It needs
Python 3.7 and no other package."""
import csv
import itertools
import json
import sys
from datetime import datetime

TEXTS = {"name", "selected", "matched", "Computer", "timestamp"}
WHOLE = {"pid", "ppid", "vsz", "rss", "uss", "pss", "swap", "fds", "read_ops", "write_ops", "read_bytes", "write_bytes"}
FLOATS = {"cpu_now"}
RUN = "run procline with --interval, --name and --fields resources"


class Unusable(Exception):
    """A sentence for the user: what cannot be used, and what to do."""


class Records:
    """The records of files. A line that is no record is reported and skipped, because a run that was killed may leave one."""

    def __init__(self, needed, columns=()):
        """Each record must have the fields `needed`, and a CSV header must have `columns` too."""
        self.needed = needed
        self.columns = [*needed, *columns]
        self.skipped = 0

    def of(self, paths):
        """Yields a dict for each record. It has only fields with a value, and the parsed timestamp as `time`."""
        for path in paths:
            try:
                if path == "-":
                    yield from self._lines("standard input", sys.stdin.buffer)
                else:
                    with open(path, "rb") as file:
                        yield from self._lines(path, file)
            except OSError as error:
                raise Unusable(f"cannot read {path}: {error.strerror}") from error

    def snapshots(self, paths):
        """Yields the list of records of each snapshot: those with the same timestamp."""
        for _, records in itertools.groupby(self.of(paths), key=lambda record: record["time"]):
            yield list(records)

    def _lines(self, path, file):
        header = is_json = None
        for number, line in enumerate(file, 1):
            place, text = f"{path}:{number}", line.decode("utf-8", "replace").rstrip("\n")
            if is_json is None:
                is_json = text.startswith("{")
                if text.startswith("["):
                    raise Unusable(f"{place}: this is an array; run procline with --format json or --format csv")
                if not is_json:
                    header = self._header(place, text)
                    continue
            try:
                record = parsed(json.loads(text) if is_json else cells(header, text))
            except ValueError as error:
                why = "no JSON" if isinstance(error, json.JSONDecodeError) else error
                print(f"{place}: skipped, because the line is no record: {why}", file=sys.stderr)
                self.skipped += 1
                continue
            for name in self.needed:
                if name not in record:
                    raise Unusable(f"{place}: the record has no field {name}; {RUN}")
            yield record

    def _header(self, place, text):
        header = next(csv.reader([text]), [])
        missing = [name for name in self.columns if name not in header]
        if missing:
            raise Unusable(f"{place}: the header has no column {missing[0]}; {RUN}")
        return header


def cells(header, text):
    """A row of CSV as a dict. An empty cell is an absent field."""
    row = next(csv.reader([text]), [])
    if len(row) != len(header):
        raise ValueError(f"{len(row)} cells, and the header has {len(header)}")
    return {name: cell for name, cell in zip(header, row) if cell}


def parsed(record):
    """A record with values of the right types."""
    if not isinstance(record, dict):
        raise ValueError("no object")
    for names, kind in [(WHOLE, int), (FLOATS, float), (TEXTS, str)]:
        for name in names & record.keys():
            try:
                record[name] = kind(record[name])
            except (TypeError, ValueError):
                raise ValueError(f"{name} is {record[name]!r}") from None
    if "timestamp" in record:
        try:
            record["time"] = datetime.strptime(record["timestamp"], "%Y-%m-%dT%H:%M:%S.%f%z")
        except ValueError:
            raise ValueError(f"timestamp is {record['timestamp']!r}") from None
    return record
