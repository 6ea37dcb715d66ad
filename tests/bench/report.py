"""From the rounds to medians, the table of targets, and the tables as text and Markdown."""

import re
import statistics

# The farther a value is from 1, the worse, in both directions.
FLAT = 0.05


def median(values):
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


def summarize(rounds):
    """case → number → {server: median…, "ratio": the median of the rounds' ratios to php-fpm}."""
    out = {}
    for case, servers in rounds.items():
        out[case] = {}
        for key in sorted({k for numbers in servers.values() for n in numbers for k, value in n.items()
                           if not isinstance(value, dict)}):
            values = {name: [n.get(key) for n in numbers] for name, numbers in servers.items()}
            row = {name: median(of) for name, of in values.items()}
            row["ratio"] = median(a / b for a, b in zip(values.get("fpmd", []), values.get("php-fpm", []))
                                  if a is not None and b)
            row["to_floor"] = median(a / b for a, b in zip(values.get("fpmd", []), values.get("null", []))
                                     if a is not None and b)
            out[case][key] = row
    return out


def ratio(case, key):
    return lambda rounds, summary: summary[case][key]["ratio"]


def ours(case, key):
    return lambda rounds, summary: summary[case][key]["fpmd"]


def growth(case, points):
    """Of our cost at each point to that at the first, the one that is farthest from 1."""
    def value(rounds, summary):
        found = [median(n[f"cpu_usec_{p}"] / n[f"cpu_usec_{points[0]}"] for n in rounds[case]["fpmd"])
                 for p in points[1:]]
        return max(found, key=lambda value: abs(value - 1))
    return value


def added(case, points):
    """Microseconds that connect() takes longer at the last point than at the first."""
    def value(rounds, summary):
        return median(n[f"connect_usec_{points[-1]}"] - n[f"connect_usec_{points[0]}"]
                      for n in rounds[case]["fpmd"])
    return value


TIMES = "× php-fpm"

# (case, what, required, wanted, unit, value). Required is an upper limit, None (documented only) or
# "flat".
TARGETS = [
    ("hello", "server CPU per request, hello-world, connection per request", 0.68, 0.58, TIMES,
     ratio("hello", "cpu_usec")),
    ("kept", "the same, kept-alive", 0.58, 0.50, TIMES, ratio("kept", "cpu_usec")),
    ("hello", "p50 latency, hello-world, 2 clients", 0.80, 0.70, TIMES, ratio("hello", "p50_usec")),
    ("dokuwiki", "DokuWiki page, CPU per request", 0.97, None, TIMES, ratio("dokuwiki", "cpu_usec")),
    ("laravel", "Laravel page, CPU per request", 0.97, None, TIMES, ratio("laravel", "cpu_usec")),
    ("upload", "100 MB upload, wall", 0.80, None, TIMES, ratio("upload", "wall_ms")),
    ("download", "100 MB download, wall", 0.80, None, TIMES, ratio("download", "wall_ms")),
    ("idle", "64 idle kept-alive connections + 1 new client, 4 workers: p99", 2.0, None,
     "× unloaded", ours("idle", "p99_ratio")),
    ("burst", "burst of 64 × 50 ms requests on a pool at its minimum: all done", 200, None, "ms",
     ours("burst", "done_ms")),
    ("cold", "first request on a stopped pool, hardened unit", 90, 60, "ms", ours("cold", "first_ms")),
    ("cold", "of that ours, beyond systemd's exec and PHP's start", 20, None, "ms",
     ours("cold", "ours_ms")),
    ("memory", "PSS of a pool with 4 idle workers, fresh", 0.90, None, TIMES,
     ratio("memory", "fresh_kb")),
    ("memory", "PSS of a pool with 4 idle workers, after load", 0.90, None, TIMES,
     ratio("memory", "used_kb")),
    ("thousand", "1,000 idle pools with idle_exit", 0, None, "processes", ours("thousand", "processes")),
    ("workers", "server CPU per request, 1 to 256 workers", "flat", None, "× that of 1",
     growth("workers", (1, 16, 64, 256))),
    ("queue", "server CPU per request, 1 to 4,000 queued connections", "flat", None, "× that of 1",
     growth("queue", (1, 64, 1000, 4000))),
    ("connect", "what 255 busy workers add to connect()", None, None, "µs",
     added("connect", (0, 64, 255))),
]


def judge(rounds, summary):
    """The rows of the table of targets: dicts; met and near (what is wanted) are None where unknown."""
    rows = []
    for case, what, required, wanted, unit, function in TARGETS:
        if case not in rounds:
            continue
        value = function(rounds, summary)
        if required is None or value is None:
            met = None
        elif required == "flat":
            met = abs(value - 1) <= FLAT
        else:
            met = value <= required
        rows.append({"case": case, "what": what, "required": required, "wanted": wanted, "unit": unit,
                     "measured": value, "met": met,
                     "wanted_met": None if wanted is None or value is None else value <= wanted})
    return rows


def number(value):
    """As people write it: three digits that count."""
    if value is None:
        return "–"
    if abs(value) >= 10000:
        return f"{value:,.0f}"
    if abs(value) >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def limit(row):
    if row["required"] is None:
        return "–"
    if row["required"] == "flat":
        return f"1 ± {FLAT:.2f}"
    text = f"≤ {number(row['required'])}" if row["required"] else "0"
    return text + (f", wanted {number(row['wanted'])}" if row["wanted"] is not None else "")


def verdict(row):
    if row["met"] is None:
        return "documented" if row["required"] is None else "not measured"
    if not row["met"]:
        return "falls" if row["required"] == "flat" and row["measured"] < 1 else "NOT MET"
    return "met" if row["wanted_met"] is None else ("met, wanted too" if row["wanted_met"] else "met")


def target_rows(result):
    return [(row["what"], limit(row), f"{number(row['measured'])} {row['unit']}", verdict(row))
            for row in result["targets"]]


def number_rows(result, cases):
    """(title, text, unit, fpmd, php-fpm, ratio, php-cgi, null) of everything that a case shows."""
    for name, summary in result["cases"].items():
        for key, text, unit in cases[name].shown:
            row = summary.get(key)
            if row and any(row.get(server) is not None for server in ("fpmd", "php-fpm")):
                yield (cases[name].title, f"{text}, {unit}" if unit else text,
                       *(number(row[server]) if server in row else ""
                         for server in ("fpmd", "php-fpm")),
                       number(row["ratio"]) if row["ratio"] is not None else "",
                       *(number(row[server]) if server in row else ""
                         for server in ("php-cgi", "null")))


def show(result, cases):
    """The tables as text."""
    rows = [("target", "", "measured", ""), *target_rows(result)]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    print(f"\n{'':48}{'fpmd':>11}{'php-fpm':>11}{'ratio':>7}{'php-cgi':>9}{'null':>9}")
    title = None
    for row in number_rows(result, cases):
        if row[0] != title:
            title = row[0]
            print(title)
        print(f"    {row[1]:44}{row[2]:>11}{row[3]:>11}{row[4]:>7}{row[5]:>9}{row[6]:>9}".rstrip())


def markdown_table(head, rows, right=()):
    yield "| " + " | ".join(head) + " |"
    yield "| " + " | ".join("---:" if i in right else "---" for i in range(len(head))) + " |"
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def markdown(result, cases):
    machine = result["machine"]
    lines = [f"Measured {machine['time']} in {result['options']['rounds']} rounds: "
             f"{machine['distribution']}, Linux {machine['kernel']}, {machine['systemd']}, "
             f"{machine['php']} ({machine['php_package']}), {machine['cpus']} processors "
             f"({machine['cpu']}).", ""]
    lines += markdown_table(("what", "target", "measured", ""), target_rows(result))
    lines.append("")
    rows, title = [], None
    for row in number_rows(result, cases):
        rows.append(("" if row[0] == title else row[0], *row[1:]))
        title = row[0]
    lines += markdown_table(("case", "median of", "fpmd", "php-fpm", "ratio", "php-cgi", "null"), rows,
                            right=(2, 3, 4, 5, 6))
    if "calls" in result["rounds"]:
        lines += ["", *call_lists(result["rounds"]["calls"])]
    return "\n".join(lines) + "\n"


def call_lists(servers):
    """What was called how often per request, as a list."""
    for key, what in (("fresh_names", "connection per request"), ("kept_names", "kept-alive")):
        for server, numbers in servers.items():
            names = sorted(numbers[0][key].items(), key=lambda item: (-item[1], item[0]))
            yield (f"* {server}, {what}: "
                   + ", ".join(f"`{name}` {count:.3g}" for name, count in names))


BEGIN, END = "<!-- made by tests/bench/bench --write-docs: begin -->\n", "<!-- end -->\n"


def write_docs(path, result, cases):
    """Replaces what stands between the marks of a document."""
    text = path.read_text()
    pattern = re.escape(BEGIN) + ".*?" + re.escape(END)
    if len(re.findall(pattern, text, re.DOTALL)) != 1:
        raise SystemExit(f"{path} has no place for the tables: {BEGIN.strip()} … {END.strip()}")
    text = re.sub(pattern, lambda _: BEGIN + markdown(result, cases) + END, text, flags=re.DOTALL)
    path.write_text(text)
