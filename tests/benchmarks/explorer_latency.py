"""How fast the explorer and the walk answer: python tests/benchmarks/explorer_latency.py

Measured inside the page, 6 x 6 heads: from the start of a frame, in which the pointer enters another token, the slider
moves to another training step, or a walk takes its next step, until the browser has painted. Wanted: 95 of 100 hovers
within a frame, 16.7 ms; 95 of 100 of the others, and of hovers with the neuron view open, within 50 ms. Beside them
stands what the page's own thread computed, mean of all: it stays where it is when other programs take the processor,
which the two percentiles do not. Last, what Python does for the neuron view of another head, without Jupyter.
"""

import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import explorer_page  # noqa: E402
from browser import chromium  # noqa: E402

from gptlib.instruments.show.explorer import AttentionExplorer  # noqa: E402
from gptlib.instruments.show.walk import Walk  # noqa: E402
from gptlib.model import GPT, GPTConfig  # noqa: E402
from gptlib.tokenizer import CharTokenizer  # noqa: E402

TEXT = "First Citizen, speak: what now? "
MANY = 220  # the first 20 of them do not count
LIMITS = {"hover": 16.7, "slider": 50.0, "neuron": 50.0, "walk": 50.0}

MEASURE = """
async ([kind, many]) => {
  const painted = () => new Promise((done) => {
    const channel = new MessageChannel(); // its message comes after the frame in which it is sent was painted
    channel.port1.onmessage = () => done(performance.now());
    channel.port2.postMessage(0);
  });
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const tokens = document.querySelectorAll(".gpt-explorer-token");
  const [training] = [...document.querySelectorAll("label")].filter((one) => one.textContent.includes("training step"));
  const entered = () => new PointerEvent("pointerover", { bubbles: true });
  const hover = (i) => tokens[(i * 37) % tokens.length].dispatchEvent(entered());
  const act = {
    hover,
    neuron: hover,
    slider: (i) => {
      const slider = training.querySelector("input");
      slider.value = i % 2;
      slider.dispatchEvent(new Event("input", { bubbles: true }));
    },
    walk: (i) => window.model.set("step", window.model.get("steps")[i % window.model.get("steps").length]),
  }[kind];
  const times = [];
  for (let i = 0; i < many; i++) {
    await frame();
    const start = performance.now();
    act(i);
    times.push((await painted()) - start);
  }
  return times.slice(20);
}
"""


def explorer_of(T, heads, head_size=6):
    """An explorer with 6 x 6 heads, two training steps and a prompt of T characters; heads: how many are shown."""
    config = GPTConfig(block_size=T, n_embd=6 * head_size, n_head=6, n_layer=6)
    steps = {step: GPT(config) for step in (0, 50)}
    explorer = AttentionExplorer(None, CharTokenizer(), TEXT * (T // 32), steps=steps)
    explorer.heads = [[0, 0], [3, 3]][:heads]
    explorer.locked = [False] * heads
    return explorer


def computed(session):
    """Seconds that the page's main thread has computed so far."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration")


def report(name, kind, times, own=None):
    """Print one line; whether 95 of 100 keep their limit."""
    p50, p95 = np.percentile(times, [50, 95])
    own = "" if own is None else f", computed {own:4.1f} ms"
    print(f"{name:28} p50 {p50:5.1f} ms, p95 {p95:5.1f} ms (limit {LIMITS[kind]}){own}")
    return p95 < LIMITS[kind]


def measured(page, name, kind):
    """Measure inside the page and report."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    before = computed(session)
    times = page.evaluate(MEASURE, [kind, MANY])
    return report(name, kind, times, 1000 * (computed(session) - before) / MANY)


def answered(explorer, many=200):
    """Milliseconds that Python takes to answer for the neuron view of another head."""
    times = []
    for i in range(many):
        start = time.perf_counter()
        explorer.neuron = [i % 6, i // 6 % 6]
        times.append(1000 * (time.perf_counter() - start))
    return times


def main():
    """Print p50 and p95 of everything; the exit status says whether all keep their limits."""
    kept = []
    with chromium() as browser:
        for T, heads in ((64, 1), (256, 1), (256, 2)):
            page = explorer_page.opened(browser, explorer_of(T, heads))
            for kind in ("hover", "slider"):
                kept.append(measured(page, f"T {T:3}, {heads} shown, {kind}", kind))
            page.close()
        for T in (64, 256):
            explorer = explorer_of(T, 1, head_size=64)
            kept.append(report(f"T {T:3}, neuron view, Python", "neuron", answered(explorer)))
            explorer.neuron = [0, 0]
            page = explorer_page.opened(browser, explorer)
            kept.append(measured(page, f"T {T:3}, neuron view, hover", "neuron"))
            page.close()
        model = GPT(GPTConfig(n_embd=192, n_head=6, n_layer=6))
        page = explorer_page.opened(browser, Walk(model, CharTokenizer(), TEXT), css="gpt-walk")
        kept.append(measured(page, "walk, T 32, step", "walk"))
        page.close()
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
