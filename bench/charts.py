"""A run as charts: SVG whose text is text, the same bytes for the same figures."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from bench.cases import QUANTILES
from bench.plan import OWNERS
from bench.tables import CASES, LATENCIES, OF_OWNERS
from bench.targets import Found, kept, rate
from cli.chart_style import COLOURS, STYLE

_WIDTH, _ROW, _MARGIN = 7.2, 0.3, 0.9
_NOTHING = {"Date": None, "Creator": None}


def draw(found: Found, folder: Path) -> list[str]:
    """Write every chart the run has figures for; return their names."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [
        name for name, (needs, _) in CHARTS.items() if needs is None or needs in found
    ]
    for name in names:
        with mpl.rc_context(STYLE):
            figure = CHARTS[name][1](found)
            figure.savefig(folder / f"{name}.svg", format="svg", metadata=_NOTHING)
    return names


def _figure(rows: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(_WIDTH, _MARGIN + _ROW * rows), layout="constrained")
    return figure, figure.add_subplot()


def _bars(
    axes: Axes,
    labels: Sequence[str],
    series: Mapping[str, Sequence[float]],
    form: str = "{:,.0f}",
) -> None:
    """Draw horizontal bars, first label on top, a bar for each series."""
    height = 0.8 / len(series)
    for number, (name, values) in enumerate(series.items()):
        at = [row + (number + 0.5) * height - 0.4 for row in range(len(labels))]
        bars = axes.barh(at, values, height * 0.9, label=name, color=COLOURS[number])
        axes.bar_label(bars, map(form.format, values), padding=3)
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.grid(axis="x")
    if len(series) > 1:
        axes.legend()


def _throughput(found: Found) -> Figure:
    shown = {name: title for name, title in CASES.items() if name != "tpc_b"}
    figure, axes = _figure(len(shown))
    base = rate(found, "tpc_b")
    ratios = [rate(found, name) / base for name in shown]
    _bars(axes, list(shown.values()), {"": ratios}, "{:.2f}")
    axes.axvline(1.0, color=COLOURS[1])
    axes.set_xlabel(f"times pgbench TPC-B of the same minutes ({base:,.0f} a second)")
    return figure


def _latency(found: Found) -> Figure:
    figure, axes = _figure(8)
    for colour, (title, (case, name)) in zip(COLOURS, LATENCIES.items(), strict=True):
        values = [found["cases"][case][f"{name}_{q}_ms"] for q in QUANTILES]
        axes.plot(list(QUANTILES), values, marker="o", label=title, color=colour)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(LogFormatter())
    axes.yaxis.set_minor_formatter(LogFormatter())
    axes.set_ylabel("ms")
    axes.grid()
    axes.legend()
    return figure


def _owners(found: Found) -> Figure:
    figure, axes = _figure(len(OWNERS))
    rates = [rate(found, name) for name in OF_OWNERS]
    _bars(axes, [f"{owners:,}" for owners in OWNERS], {"": rates})
    axes.set_xlabel("single POST applied a second, 256 connections")
    return figure


def _memory(found: Found) -> Figure:
    roles = list(found["memory"]["idle"])
    figure = Figure(figsize=(_WIDTH, _MARGIN + 2 * _ROW * len(roles)))
    figure.set_layout_engine("constrained")
    both = figure.subplots(1, 2, sharey=True)
    for axes, (when, memory) in zip(both, found["memory"].items(), strict=True):
        sizes = {
            title: [memory[role].get(way, 0) / 1e6 for role in roles]
            for title, way in (("shared pages once", "pss"), ("summed", "rss"))
        }
        _bars(axes, roles, sizes)
        axes.set_xlabel(f"{when}, MB")
    # The axis is shared: the second panel has turned it back.
    both[0].invert_yaxis()
    return figure


def _storage(found: Found) -> Figure:
    sizes = found["storage_bytes_per_transfer"]
    figure, axes = _figure(len(sizes))
    _bars(axes, list(sizes), {"": list(sizes.values())}, "{:.1f}")
    axes.set_xlabel("bytes a write")
    return figure


def _growth(found: Found) -> Figure:
    titles = CASES | OF_OWNERS
    shown = {n: titles[n] for n in found["cases_stored"] if n in titles}
    figure, axes = _figure(len(shown))
    shares = [kept(found, name) for name in shown]
    _bars(axes, list(shown.values()), {"": shares}, "{:.2f}")
    axes.axvline(1.0, color=COLOURS[1])
    millions = found["stored_transfers"] / 1e6
    axes.set_xlabel(f"with {millions:g} million transfers stored, times empty books")
    return figure


def _claims(found: Found) -> Figure:
    figure, axes = _figure(8)
    windows = found["claims"]["windows"]
    finished = [window["jobs"] / 1e3 for window in windows]
    medians = [window["p50_ms"] for window in windows]
    axes.plot(finished, medians, marker="o", color=COLOURS[0])
    axes.set_ylim(0, 1.3 * max(medians))
    axes.set_xlabel("thousand jobs that came and went")
    axes.set_ylabel("median of a claim of 500, ms")
    axes.grid()
    return figure


# What a chart needs beyond every run's figures, and what draws it.
CHARTS: dict[str, tuple[str | None, Callable[[Found], Figure]]] = {
    "throughput": (None, _throughput),
    "latency": (None, _latency),
    "owners": (None, _owners),
    "memory": (None, _memory),
    "storage": (None, _storage),
    "growth": ("cases_stored", _growth),
    "claims": ("claims", _claims),
}
