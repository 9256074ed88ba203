"""The results of benches/measure: as JSON, as tables of Markdown, and as plots."""

import json
import math
import statistics

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams |= {"svg.hashsalt": "figures", "svg.fonttype": "none", "axes.spines.top": False}
matplotlib.rcParams |= {"axes.spines.right": False, "font.size": 9}
import matplotlib.pyplot as plot  # noqa: E402
from matplotlib.ticker import LogLocator  # noqa: E402

SDK = "sqlflow-client"
MIB = 2**20
MB = 1_000_000
NOT_MEASURED = "a client has failed"
MARKS = "<!-- figures -->", "<!-- end of figures -->"


class Results:
    """The figures that have been measured, now or before."""

    def __init__(self, folder, readme=None):
        self.folder, self.readme = folder, readme
        self.path = folder / "figures.json"
        self.figures = json.loads(self.path.read_text()) if self.path.exists() else {}

    def add(self, name, figure):
        self.figures[name] = figure

    def write(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.figures = {name: self.figures[name] for name in TARGETS if name in self.figures}
        self.path.write_text(json.dumps(self.figures, indent=1) + "\n")
        parts = ["# Figures of every client", "Written by `benches/measure`; [README.md](../README.md) explains them."]
        for name, figure in self.figures.items():
            parts += [f"## {TITLES[name]}", table(*TABLES[name](figure)), circumstances(figure)]
            parts += [f"![{alt}]({file})" for file, alt in plots(name, figure, self.folder)]
        (self.folder / "figures.md").write_text("\n\n".join(parts) + "\n")
        if self.readme:
            before, rest = self.readme.read_text().split(MARKS[0])
            _, after = rest.split(MARKS[1])
            self.readme.write_text(f"{before}{MARKS[0]}\n{self.summary()}\n{MARKS[1]}{after}")

    def summary(self):
        """Returns a table of what was to reach and what was measured."""
        rows, notes = [], {}
        for name, figure in self.figures.items():
            for what, to_reach, measured, is_reached in TARGETS[name](figure):
                if measured == NOT_MEASURED:
                    is_reached = None
                rows.append([what, to_reach, measured, {True: "yes", False: "**no**", None: ""}[is_reached]])
            notes.setdefault(circumstances(figure | {"load": "varying"}), []).append(name)
        lines = [f"Measured for {', '.join(names)}: {note[0].lower()}{note[1:]}" for note, names in notes.items()]
        return table(["what", "to reach", "measured", "reached"], rows) + "\n\n" + "\n\n".join(lines)


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def circumstances(figure):
    versions = ", ".join(f"{name} {version}" for name, version in figure["versions"].items())
    rounds = "measured once" if figure["rounds"] == 1 else f"medians of {figure['rounds']} rounds"
    return f"On {figure['date']}; {figure['machine']}, load {figure['load']}; {versions}; {rounds}."


def of(figure, **facts):
    """Returns the rows of a figure with these facts, by their clients."""
    rows = [row for row in figure["rows"] if all(row.get(name) == fact for name, fact in facts.items())]
    return {row["client"]: row for row in rows}


def largest(figure, case):
    size = max(row["bytes"] for row in figure["rows"] if row["case"] == case)
    return size, of(figure, case=case, bytes=size)


def cases(figure):
    return list(dict.fromkeys(row["case"] for row in figure["rows"]))


def ratio(row, other, what="wall"):
    """Returns the ratio of two rows, or no number if one of them has failed."""
    return row[what] / other[what] if what in row and what in other else math.nan


def times(number, digits=2):
    return NOT_MEASURED if math.isnan(number) else f"{number:.{digits}f} ×"


def disk_targets(figure):
    size, rows = largest(figure, "full")
    own, curl, synced = rows[SDK], rows["curl"], rows["curl, synced"]
    same, alone = ratio(own, synced), ratio(own, curl)
    text = f"{times(same)} with curl's file synced too, {times(alone)} without"
    yield f"export {size / MB:.0f} MB to disk: time", "≤ 1.0 × curl", text, same <= 1
    yield "export to disk: peak memory", "≤ 24 MiB", f"{own['peak'] / MIB:.1f} MiB", own["peak"] <= 24 * MIB


def model_targets(figure):
    for case in cases(figure):
        size, rows = largest(figure, case)
        own = rows[SDK]
        # Python is not charged for its start.
        python = rows["Python"] | {"wall": rows["Python"].get("wall", math.nan) - figure["python_start"]}
        what = f"export {size / MB:.0f} MB ({case}) into the model"
        for peer, name, least in [(python, "Python", 8), (rows["serde_json::Value"], "`Value`", 2.5)]:
            faster = ratio(peer, own)
            yield f"{what}: speed", f"≥ {least} × {name}", times(faster, 1), faster >= least
        faster = ratio(rows["derived structs"], own)
        yield f"{what}: speed", "more than derived structs", times(faster, 1), faster > 1
        peak = own["peak"] / size
        yield f"{what}: peak memory", "≤ 0.6 × the text", f"{peak:.2f} ×", peak <= 0.6


def upload_targets(figure):
    for case in cases(figure):
        size, rows = largest(figure, case)
        own = rows[SDK]
        time = ratio(own, rows["curl"])
        yield f"upload {size / MB:.0f} MB as {case}: time", "≤ 1.05 × curl", times(time), time <= 1.05
        peak = own["peak"] / MIB
        yield f"upload as {case}: peak memory", "≤ 24 MiB", f"{peak:.1f} MiB", peak <= 24


def call_targets(figure):
    rows = of(figure)
    cpu = ratio(rows[SDK], rows["reqwest"], "cpu")
    what = "one small call on a warm connection: CPU"
    yield what, "≤ 1.15 × reqwest", f"{times(cpu)} ({rows[SDK]['cpu'] * 1e6:.0f} µs)", cpu <= 1.15


def notice_targets(figure):
    for what, select in [("the median", statistics.median), ("the latest", max)]:
        late = [(select(row["late"]), row["age"]) for row in figure["rows"]]
        worst, age = max(late, key=lambda pair: pair[0] / max(0.05 * pair[1], 0.25))
        text = f"{100 * worst / age:.1f} % of {age} s ({worst:.2f} s)"
        is_reached = worst <= max(0.05 * age, 0.25)
        yield f"noticing the end of a job, {what} of 20", "≤ 5 % of its age, or 250 ms", text, is_reached
    counts = {row["age"]: statistics.median(row["requests"]) for row in figure["rows"]}
    text = ", ".join(f"{count:.0f} in {age} s" for age, count in counts.items())
    is_reached = all(count <= 1.15 * most_requests(age) for age, count in counts.items())
    yield "requests until then", "O(log age) until one every 15 s", text, is_reached


def most_requests(age):
    """Returns the requests in so many seconds: five a second, then one for every 4 % of the age, then one every 15 s."""
    even, slowest = 6.25, 375
    return 1 + min(age, even) / 0.2 + 25 * math.log(max(min(age, slowest) / even, 1)) + max(age - slowest, 0) / 15


def watch_targets(figure):
    counts, memory = figure["counts"], figure["bytes_per_job"]
    jobs = f"{figure['jobs']} jobs watched"
    text = f"{counts['most_lists_in_flight']} at a time, {counts['lists']} in {figure['seconds']} s"
    text += f", and {counts['states']} for single jobs"
    yield f"{jobs}: requests", "one a tick", text, counts["most_lists_in_flight"] == 1
    if memory is not None:
        yield f"{jobs}: memory of each", "≤ 10 kB", f"{memory / 1000:.1f} kB", memory <= 10_000


def batch_targets(figure):
    jobs = f"batch of {figure['jobs']} jobs, 64 in flight, 5 % faults"
    text = f"{'none' if figure['is_whole'] else 'see the output'}, seed {figure['seed']}"
    yield f"{jobs}: lost or twice", "none", text, figure["is_whole"]
    requests = sum(figure["requests"].values()) / figure["jobs"]
    yield f"{jobs}: requests per job", "", f"{requests:.1f}", None
    # In the last tenth, the batch waits for the few whose submissions have to be looked for.
    first, *_, late, last = figure["tenths"]
    text = f"{first} jobs a second in the first tenth, {late} in the ninth, {last} in the last"
    text += f", {figure['over_all']} over all"
    yield f"{jobs}: throughput", "does not fall", text, late >= 0.9 * first


def build_targets(figure):
    rows = of(figure)
    bare, own, part = rows["bare reqwest"], rows[SDK], figure["generator"]
    text = (
        f"{own['cpu']:.0f} s of CPU, {own['crates']} crates; bare reqwest {bare['cpu']:.0f} s, {bare['crates']} crates"
    )
    yield "clean build of a program", "", text, None
    added = [
        f"`{client.removeprefix(f'{SDK} with ')}` {row['cpu'] - own['cpu']:+.0f} s, {row['crates'] - own['crates']:+d}"
        for client, row in rows.items()
        if client.startswith(f"{SDK} with ")
    ]
    yield "what each feature adds, in CPU and crates", "", "; ".join(added), None
    text = (
        f"{part['packages']:.0f} s for {part['crates']} crates that only it needs, {part['script']:.0f} s for the build"
    )
    yield "what the generator costs", "", f"{text} script, {part['run']:.1f} s for its run", None


def client_table(figure):
    rows = []
    for row in figure["rows"]:
        size = f"{row['bytes'] / MB:.0f} MB" if "bytes" in row else ""
        if "failure" in row:
            rows.append([row["case"], size, row["client"], row["failure"], "", ""])
            continue
        long = row["wall"] >= 0.01
        time = [f"{row[what]:.3f} s" if long else f"{row[what] * 1e6:.0f} µs" for what in ["wall", "cpu"]]
        rows.append([row["case"], size, row["client"], *time, f"{row['peak'] / MIB:.1f} MiB"])
    return ["", "size", "client", "time", "CPU", "peak memory"], rows


def notice_table(figure):
    rows = []
    for row in figure["rows"]:
        late = [statistics.median(row["late"]), max(row["late"])]
        share = [f"{it:.2f} s, {100 * it / row['age']:.1f} %" for it in late]
        rows.append([f"{row['age']} s", f"{statistics.median(row['requests']):.0f}", *share])
    return ["age at the end", "requests", "late (median of 20)", "late (the latest of 20)"], rows


def batch_table(figure):
    tenths = [[f"jobs a second in tenth {number}", str(speed)] for number, speed in enumerate(figure["tenths"], 1)]
    requests = [[f"requests: `{name}`", str(count)] for name, count in figure["requests"].items()]
    peak = [["peak memory", f"{figure['peak'] / MIB:.1f} MiB"]] if figure["peak"] else []
    return ["", ""], tenths + requests + peak


def build_table(figure):
    rows = [
        [row["client"], f"{row['cpu']:.0f} s", f"{row['wall']:.0f} s", str(row["crates"])] for row in figure["rows"]
    ]
    part = figure["generator"]
    rows.append(["of it: what only the generator needs", f"{part['packages']:.1f} s", "", str(part["crates"])])
    rows.append(["of it: compiling the build script", f"{part['script']:.1f} s", "", ""])
    rows.append(["of it: running the build script", f"{part['run']:.1f} s", "", ""])
    rows.append(["of it: compiling the client itself", f"{part['sdk']:.1f} s", "", "1"])
    return ["program that depends on", "CPU", "time", "crates"], rows


def plots(name, figure, folder):
    """Draws the plots of a figure, and returns their file names and descriptions."""
    if name in ["disk", "model"]:
        for case in cases(figure):
            file = f"{name}.svg" if name == "disk" else f"{name}-{case}.svg"
            if sizes_of(figure, case):
                draw_by_size(figure, case, folder / file)
                yield file, f"Time and memory against size: {TITLES[name]}, {case}"
    elif name == "batch" and figure["tenths"]:
        draw_tenths(figure, folder / "batch.svg")
        yield "batch.svg", "Jobs a second in each tenth of a batch"


def sizes_of(figure, case):
    """Returns the sizes of a case, if there are several."""
    sizes = sorted({row["bytes"] for row in figure["rows"] if row["case"] == case})
    return sizes if len(sizes) > 1 else []


def draw_by_size(figure, case, path):
    picture, axes = plot.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    for ax, what, unit, label in [(axes[0], "wall", 1, "seconds"), (axes[1], "peak", MIB, "peak memory, MiB")]:
        for client in of(figure, case=case):
            rows = [row for row in figure["rows"] if (row["case"], row["client"]) == (case, client) and what in row]
            points = [row["bytes"] / MB for row in rows], [row[what] / unit for row in rows]
            ax.plot(*points, marker="o", markersize=3, label=client, linewidth=2 if client == SDK else 1)
        ax.set(xlabel="MB", ylabel=label, xscale="log", yscale="log")
        ax.set_xticks(sizes := [size / MB for size in sizes_of(figure, case)], [f"{size:.0f}" for size in sizes])
        ax.minorticks_off()
        ax.yaxis.set_major_locator(LogLocator(subs=[1, 2, 5]))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.grid(alpha=0.3)
    axes[0].legend(frameon=False)
    save(picture, path)


def draw_tenths(figure, path):
    picture, ax = plot.subplots(figsize=(5, 2.8), layout="constrained")
    jobs = [figure["jobs"] * tenth // 10 for tenth in range(1, 11)]
    ax.plot(jobs[: len(figure["tenths"])], figure["tenths"], marker="o", markersize=3)
    ax.set(xlabel="jobs done", ylabel="jobs a second")
    ax.set_ylim(bottom=0)
    ax.grid(alpha=0.3)
    save(picture, path)


def save(picture, path):
    picture.savefig(path, metadata={"Date": None})
    plot.close(picture)


TITLES = {
    "disk": "Export to disk",
    "model": "Export into the model",
    "upload": "Upload",
    "call": "One small call",
    "notice": "Noticing the end of a job",
    "watch": "Many jobs watched",
    "batch": "A batch over a bad network",
    "build": "A clean build",
}
TARGETS = {
    "disk": disk_targets,
    "model": model_targets,
    "upload": upload_targets,
    "call": call_targets,
    "notice": notice_targets,
    "watch": watch_targets,
    "batch": batch_targets,
    "build": build_targets,
}
TABLES = dict.fromkeys(["disk", "model", "upload", "call", "watch"], client_table)
TABLES |= {"notice": notice_table, "batch": batch_table, "build": build_table}
