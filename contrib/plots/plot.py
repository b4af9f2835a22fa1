"""Draws CPU, resident memory, open files and I/O over time of each process, from what procline prints with --fields resources.
README.md shows a picture. It needs matplotlib."""
import argparse
import sys
from pathlib import Path

# A package's folder must not get a cache that the package does not know.
sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from records import Records, Unusable  # noqa: E402

NEEDED = ["timestamp", "pid"]
COLUMNS = ["cpu_now", "rss", "fds", "read_bytes", "write_bytes"]
MIB = 1024 * 1024


class Process:
    """What is known of a process over time."""

    def __init__(self):
        self.records = []

    def label(self):
        last = self.records[-1]
        name = last.get("name", "process")
        # Two daemons in Python have the same name.
        daemon = last.get("matched", name)
        return f"{last['pid']} {daemon}" + ("" if name == daemon else f" ({name})")

    def mean_cpu(self):
        return sum(record.get("cpu_now", 0) for record in self.records) / len(self.records)

    def values(self, field, scale=1):
        """Times and values. What procline did not know is a gap in the line."""
        times = [record["time"] for record in self.records]
        return times, [record[field] / scale if field in record else float("nan") for record in self.records]

    def rates(self, field, scale):
        """The growth per second between two records, at the time of the second."""
        times, values = self.values(field, scale)
        pairs = list(zip(zip(times, values), zip(times[1:], values[1:])))
        rates = [(new - old) / (time - before).total_seconds() for (before, old), (time, new) in pairs]
        return times[1:], rates


def processes(snapshots):
    """Each process by its pid and daemon. A pid that is used again by another program is another process."""
    found, before = {}, {}
    for snapshot in snapshots:
        now = {}
        for record in snapshot:
            key = record["pid"], record.get("matched"), record.get("name")
            # One that was absent from a snapshot has ended.
            now[key] = before.get(key) or Process()
            now[key].records.append(record)
            found[id(now[key])] = now[key]
        before = now
    return list(found.values())


def draw(drawn, title, path, zone):
    """Writes the picture."""
    import matplotlib

    matplotlib.use("agg")
    # The same input makes the same file. Text stays text.
    matplotlib.rcParams.update({"svg.hashsalt": "procline", "svg.fonttype": "none"})
    from matplotlib import dates, pyplot, ticker

    figure, axes = pyplot.subplots(4, 1, sharex=True, figsize=(11, 9), layout="constrained")
    headings = ["CPU, % of one", "resident memory, MiB", "open files", "written and (dashed) read, MiB/s"]
    for axis, heading in zip(axes, headings):
        axis.set_title(heading, loc="left", fontsize=10)
        axis.grid(alpha=0.3)
        axis.margins(x=0.01)
    colors = pyplot.get_cmap("tab10").colors
    for place, process in enumerate(drawn):
        style = {"color": colors[place % len(colors)], "linewidth": 1.2}
        # A process with one record would be invisible as a line.
        style["marker"] = "." if len(process.records) == 1 else None
        lines = [
            axes[0].plot(*process.values("cpu_now"), label=process.label(), **style),
            axes[1].plot(*process.values("rss", 1024), **style),
            axes[2].plot(*process.values("fds"), **style),
            axes[3].plot(*process.rates("write_bytes", MIB), **style),
            axes[3].plot(*process.rates("read_bytes", MIB), linestyle="--", **style),
        ]
        for name, (line,) in zip(["cpu", "rss", "fds", "written", "read"], lines):
            line.set_gid(f"{name}-{place}")
    for axis in axes:
        axis.set_ylim(bottom=0)
    axes[2].yaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    locator = dates.AutoDateLocator(tz=zone)
    axes[3].xaxis.set_major_locator(locator)
    axes[3].xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, tz=zone))
    figure.suptitle(title, fontsize=11)
    figure.legend(loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    metadata = {"Date": None} if path.suffix == ".svg" else None
    figure.savefig(path, metadata=metadata, dpi=100)


def picture(text):
    path = Path(text)
    if path.suffix not in (".svg", ".png"):
        raise argparse.ArgumentTypeError(f"{text} must end in .svg or .png")
    return path


def arguments():
    parser = argparse.ArgumentParser(description="Draw the processes that procline --fields resources has sampled.")
    option = parser.add_argument
    option("files", metavar="FILE", nargs="*", default=["-"], help="JSON lines or CSV; standard input by default")
    option("-o", "--output", metavar="PICTURE", type=picture, default=Path("run.svg"), help=".svg or .png; run.svg by default")
    option("--top", metavar="N", type=int, default=20, help="draw only the N that use the most CPU; 20 by default")
    option("--local", action="store_true", help="local time, not UTC")
    return parser.parse_args()


def main():
    options = arguments()
    records = Records(NEEDED, COLUMNS)
    try:
        found = processes(records.snapshots(options.files))
        if not found:
            raise Unusable("there are no records; run procline with --interval, --name and --fields resources")
        drawn = sorted(found, key=Process.mean_cpu, reverse=True)[: options.top]
        # In the order in which they appeared.
        drawn = [process for process in found if process in drawn]
        times = sorted(record["time"] for process in found for record in process.records)
        zone = times[0].astimezone().tzinfo if options.local else times[0].tzinfo
        computers = sorted({record.get("Computer", "") for process in found for record in process.records})
        title = f"{', '.join(computers)} {times[0].astimezone(zone):%Y-%m-%d %H:%M:%S %Z}".strip()
        if len(drawn) < len(found):
            title += f": {len(drawn)} of {len(found)} processes"
        draw(drawn, title, options.output, zone)
    except Unusable as error:
        sys.exit(f"plot.py: {error}")
    except ImportError as error:
        sys.exit(f"plot.py: {error}; install matplotlib, for example with: python3 -m pip install matplotlib")
    except OSError as error:
        sys.exit(f"plot.py: cannot write {options.output}: {error.strerror}")
    sys.exit(1 if records.skipped else 0)


if __name__ == "__main__":
    main()
