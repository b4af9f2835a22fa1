"""Breaks the lines of standard input into events, and dates them, as Splunk's documentation of props.conf describes it. Its regular
expressions are PCRE; those of the app mean the same here. Prints each event and its time as one line of JSON.

events.py PROPS_CONF SOURCE_TYPE
"""

import configparser
import json
import re
import sys
from datetime import datetime, timezone

FORMATS = {"%Y": r"\d{4}", "%m": r"\d\d", "%d": r"\d\d", "%H": r"\d\d", "%M": r"\d\d", "%S": r"\d\d", "%3N": r"\d{3}", "%6N": r"\d{6}"}


def settings(path, source_type):
    props = configparser.RawConfigParser(delimiters="=", comment_prefixes="#", strict=True)
    props.optionxform = str
    props.read_file(open(path))
    return props[source_type]


def broken(data, breaker):
    """The first group of the pattern is dropped. What is before it ends an event."""
    begin = 0
    for match in re.finditer(breaker.encode(), data):
        yield data[begin : match.start(1)]
        begin = match.end(1)
    if begin < len(data):
        yield data[begin:]


def dated(text, props):
    """The time begins after the first match of the prefix. Only so many characters are looked at."""
    assert props["TZ"] == "UTC"
    begin = re.search(props["TIME_PREFIX"], text).end()
    window = text[begin : begin + int(props["MAX_TIMESTAMP_LOOKAHEAD"])]
    parts = re.split(r"(%\d?[A-Za-z])", props["TIME_FORMAT"])
    pattern = "".join(f"({FORMATS[part]})" if part.startswith("%") else re.escape(part) for part in parts)
    *whole, fraction = re.match(pattern, window).groups()
    return datetime(*map(int, whole), int(fraction.ljust(6, "0")), timezone.utc)


props = settings(*sys.argv[1:])
assert props["SHOULD_LINEMERGE"] == "false" and props["EVENT_BREAKER"] == props["LINE_BREAKER"]
for event in broken(sys.stdin.buffer.read(), props["LINE_BREAKER"]):
    event = event[: int(props["TRUNCATE"])].decode(props["CHARSET"])
    print(json.dumps({"time": dated(event, props).isoformat(timespec="microseconds"), "event": event}))
