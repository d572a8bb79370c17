"""Data in, figure out. The same colours for the same things in the whole series; readable without colour vision."""

import statistics

import numpy as np

from gptlib.instruments.show.picture import INK, Picture

COLOURS = {
    "query": "#0072B2",
    "key": "#E69F00",
    "value": "#009E73",
    "x": "#666666",
    "train": "#56B4E9",
    "val": "#D55E00",
    "sample": "#CC79A7",
}
WIDE_BEHIND = {"train": {"linewidth": 5, "alpha": 0.5}}  # val often lies on it
BASELINE_STYLES = ((0, (1, 1)), (0, (4, 2)), (0, (6, 2, 1, 2)), (0, (2, 3)))
VISIBLE = {" ": "␣", "\n": "↵", "\t": "⇥"}


def visible(text):
    """The characters of text as a list of labels, with signs for those that one cannot see."""
    return [VISIBLE.get(character, character) for character in text]


def tidy(axes):
    """No frame above and to the right: less ink for the eye to skip."""
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def ticks(axes, rows=None, columns=None):
    """Write characters beside the rows and under the columns."""
    for axis, labels in ((axes.yaxis, rows), (axes.xaxis, columns)):
        if labels is not None:
            size = 11 if len(labels) <= 45 else 8.5
            axis.set_ticks(range(len(labels)), visible(labels), fontsize=size)
            axis.set_tick_params(length=0)


def heatmap(
    matrix,
    rows=None,
    columns=None,
    title="",
    row_name="",
    column_name="",
    numbers=None,
    top=None,
    size=None,
):
    """A matrix as squares, dark = large. rows, columns: a label each; numbers: a format such as '.2f' writes them in.

    matrix (R, C); top: the value that is darkest, the largest one by default.
    """
    matrix = np.asarray(matrix, dtype=float)
    width, height = size or (
        min(9.0, 1.6 + 0.45 * matrix.shape[1]),
        min(7.0, 1.2 + 0.42 * matrix.shape[0]),
    )
    picture = Picture(
        f"{title or f'{row_name} × {column_name}'}, {matrix.shape[0]} × {matrix.shape[1]}",
        width,
        height,
    )
    axes = picture.add_subplot()
    draw_heatmap(picture, axes, matrix, rows, columns, numbers, top)
    axes.set_title(title, fontsize=11)
    axes.set_ylabel(row_name)
    axes.set_xlabel(column_name)
    return picture


def draw_heatmap(picture, axes, matrix, rows=None, columns=None, numbers=None, top=None):
    """Draw a heatmap into axes and make its squares and numbers the moving part of picture."""
    top = top if top is not None else np.max(matrix, initial=1e-9, where=np.isfinite(matrix))
    image = axes.imshow(
        matrix, cmap="Blues", vmin=0, vmax=top, aspect="auto" if matrix.size > 400 else "equal"
    )
    ticks(axes, rows, columns)
    axes.spines[:].set_alpha(0.5)
    cells = []
    if numbers is not None:
        cells = [
            axes.text(column, row, "", ha="center", va="center", fontsize=8.5)
            for row in range(matrix.shape[0])
            for column in range(matrix.shape[1])
        ]

    def draw_data(new):
        new = np.asarray(new, dtype=float)
        image.set_data(new)
        for cell, value in zip(cells, new.flat):
            words = "" if np.isnan(value) else format(value, numbers).replace("-", "−")
            cell.set_text("−∞" if value == -np.inf else words)
            seen = np.isfinite(value)  # what is not has no square behind it
            cell.set_color(INK if not seen else "white" if value > 0.6 * top else "#222222")

    draw_data(matrix)
    picture.moving += [image, *cells]
    picture.draw_each.append(draw_data)
    picture.draw_data = draw_data


def side_by_side(
    matrices,
    rows=None,
    columns=None,
    row_name="",
    column_name="",
    numbers=None,
    top=None,
    size=None,
):
    """Several matrices in a row, each under its name and on the same scale. matrices: {name: (R, C)}."""
    matrices = {name: np.asarray(matrix, dtype=float) for name, matrix in matrices.items()}
    shape = next(iter(matrices.values())).shape
    top = (
        top
        if top is not None
        else max(np.max(m, initial=1e-9, where=np.isfinite(m)) for m in matrices.values())
    )
    picture = Picture(
        f"{', '.join(matrices)}, {shape[0]} × {shape[1]} each",
        *(size or (9.0, 1.0 + 8.0 / len(matrices))),
    )
    for number, (name, matrix) in enumerate(matrices.items()):
        axes = picture.add_subplot(1, len(matrices), number + 1)
        draw_heatmap(
            picture, axes, matrix, rows if number == 0 else [""] * shape[0], columns, numbers, top
        )
        axes.set_title(name, fontsize=11)
        axes.set_xlabel(column_name)
        axes.set_ylabel(row_name if number == 0 else "")
    painters = picture.draw_each
    picture.draw_data = lambda new: [paint(matrix) for paint, matrix in zip(painters, new)]
    return picture


def bars(
    values,
    labels,
    title="",
    y_name="",
    colour="x",
    bottom=0,
    top=None,
    second=None,
    names=("", ""),
    log=False,
    size=(8.0, 3.0),
):
    """A bar for each value, with its character under it; second: values drawn as dots, to compare."""
    picture = Picture(f"{title or y_name}, {len(values)} bars", *size)
    axes = tidy(picture.add_subplot())
    found = axes.bar(
        range(len(values)),
        np.asarray(list(values), dtype=float),
        color=COLOURS.get(colour, colour),
        label=names[0],
    )
    moving = list(found)
    dots = None
    if second is not None:
        dots = axes.plot(
            range(len(second)), second, "o", color=COLOURS["val"], markersize=4, label=names[1]
        )[0]
        axes.legend(labelcolor=INK, frameon=False)
        moving.append(dots)
    ticks(axes, columns=labels)
    axes.set_title(title, fontsize=11)
    axes.set_ylabel(y_name)
    if top is not None:
        axes.set_ylim(bottom, top)
    if log:
        axes.set_yscale("log")

    def draw_data(new):
        for bar, value in zip(found, new):
            bar.set_height(float(value))

    picture.moving = moving
    picture.draw_data = draw_data
    return picture


def curves(
    lines,
    title="",
    x_name="",
    y_name="",
    log_x=False,
    log_y=False,
    baselines=None,
    marks="o",
    y_range=None,
    size=(7.0, 3.6),
):
    """Lines over numbers. lines: {name: (xs, ys)}; names in COLOURS get their colour. baselines: {name: y}.

    log_x: True for an axis of doublings, 10 for one of powers of ten. draw_data takes new ys, in the order of lines.
    """
    picture = Picture(f"{title or y_name}: {', '.join(lines)}", *size)
    axes = tidy(picture.add_subplot())
    palette = iter(
        ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999"] * 3
    )
    for name, (xs, ys) in lines.items():
        picture.moving += axes.plot(
            xs,
            ys,
            marker=marks,
            markersize=3.5,
            label=name,
            color=COLOURS.get(name) or next(palette),
            **WIDE_BEHIND.get(name, {}),
        )
    picture.draw_data = lambda new: [
        line.set_ydata(ys) for line, ys in zip(picture.moving, new, strict=True)
    ]
    if log_x:
        axes.set_xscale("log", base=2 if log_x is True else log_x)
        axes.xaxis.set_major_formatter("{x:,g}")  # 16 and 0.001, not 2⁴ and 10⁻³
    if log_y:
        axes.set_yscale("log")
    if y_range:
        axes.set_ylim(*y_range)
    if not log_y and max(axes.get_ylim()) > 10_000:
        axes.yaxis.set_major_formatter("{x:,.0f}")
    draw_baselines(axes, baselines)
    axes.set_title(title, fontsize=11)
    axes.set_xlabel(x_name)
    axes.set_ylabel(y_name)
    if len(lines) > 1:
        axes.legend(labelcolor=INK, frameon=False)
    return picture


def draw_baselines(axes, baselines):
    """A thin line across axes at every baseline's height, with its name and value to the right of the axes."""
    for style, (name, height) in zip(BASELINE_STYLES * 3, (baselines or {}).items()):
        axes.axhline(height, color=INK, linewidth=1, linestyle=style)
        axes.annotate(f"{name} {height:.2f}", (1.0, height), (4, 0), xycoords=("axes fraction", "data"),
                      textcoords="offset points", fontsize=8.5, va="center", color=INK)  # fmt: skip


def losses(history, baselines=None, title=""):
    """The training picture: train and val loss over steps. history: [(step, {"train": …, "val": …}), …]."""
    steps = [step for step, _ in history]
    lines = {split: (steps, [found[split] for _, found in history]) for split in ("train", "val")}
    return curves(lines, title, "step", "loss (nats per character)", baselines=baselines)


def compare(
    groups,
    title="",
    x_name="val loss (nats per character)",
    reported=None,
    elsewhere=None,
    x_range=None,
):
    """Seeds as points, their mean as a bar, one row a group, in the order given; reading down is reading the ladder.

    groups: {name: [loss of each seed]}; a loss that is not finite is drawn as “diverged” at the right end.
    reported: {name: a value that others report}, drawn as an open square. elsewhere: {name: a value of our own on
    another text}, drawn as an open diamond. x_range: (low, high) of the axis; what is beyond gets an arrow at its
    right end.
    """
    single = {"s": reported or {}, "D": elsewhere or {}}
    names = list(groups)
    picture = Picture(f"{title or x_name}: {', '.join(names)}", 9.0, 1.1 + 0.42 * len(names))
    axes = tidy(picture.add_subplot())
    finite = [value for values in groups.values() for value in values if np.isfinite(value)]
    for row, name in enumerate(names):
        values = [value for value in groups[name] if np.isfinite(value)]
        axes.plot(values, [row] * len(values), "o", color=COLOURS["val"], alpha=0.45, markersize=5)
        if len(values) == len(groups[name]) and values:
            # as in the tables; np.mean may round the last digit the other way
            centre = statistics.fmean(values)
            axes.plot([centre] * 2, [row - 0.3, row + 0.3], color=INK, linewidth=2)
            axes.annotate(
                f"{centre:.3f}",
                (1.01, row),
                xycoords=("axes fraction", "data"),
                va="center",
                color=INK,
            )
        else:
            place = {"xycoords": ("axes fraction", "data"), "va": "center", "color": INK}
            axes.annotate("diverged", (1.01, row), **place)
        for mark, values in single.items():
            if name in values:
                axes.plot(values[name], row, mark, color=INK, fillstyle="none", markersize=8)
    span = (max(finite) - min(finite)) or 0.1
    finite += [value for values in single.values() for value in values.values()]
    axes.set_xlim(x_range or (min(finite) - 0.08 * span, max(finite) + 0.08 * span))
    for row, values in enumerate(groups.values()):
        if x_range and max(values) > x_range[1]:
            ends = {"xytext": (0.95, row), "xycoords": ("axes fraction", "data")}
            style = {"arrowstyle": "-|>", "color": COLOURS["val"], "linewidth": 2}
            axes.annotate("", (1.0, row), textcoords=ends["xycoords"], arrowprops=style, **ends)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="x", color=INK, alpha=0.25)
    axes.set_axisbelow(True)
    axes.set_title(title, fontsize=11)
    axes.set_xlabel(x_name)
    return picture


def ladder(groups, reported=None, elsewhere=None):
    """The loss ladder: one rung a row, each one change to the one above it.

    reported: what others report of it. elsewhere: ours on the lecture's own text.
    """
    title = "the loss ladder: points are seeds, bars their means, squares what others report"
    title += "\ndiamonds: ours on the lecture's own text, one seed" if elsewhere else ""
    return compare(groups, title, reported=reported, elsewhere=elsewhere)
