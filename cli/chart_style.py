"""How our charts look: quiet, and read on white as on black."""

from typing import Any, Final

GREY: Final = "#6e7781"
COLOURS: Final = ("#2f81f7", "#d4762c", "#8957e5")
# On no ground of its own; text of an SVG stays text, and its bytes the same.
STYLE: Final[Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "coin",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "axes.edgecolor": GREY,
    "axes.labelcolor": GREY,
    "axes.titlecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "text.color": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "grid.color": GREY,
    "grid.alpha": 0.3,
    "legend.frameon": False,
}
