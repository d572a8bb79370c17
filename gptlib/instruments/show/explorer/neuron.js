// The neuron view: how the query of one position and the key of another make one score, channel by channel.

import { dot, largestOf, signed } from "./arithmetic.js";
import { keyOrLargest } from "./choosing.js";
import { within } from "./elements.js";
import { make } from "./parts.js";
import { copied } from "./weights.js";
import { spokenToken, titleOf, weightOf } from "./words.js";

const HEIGHT = 48; // pixels of a row of bars
const BAR = 12; // of one channel
const MEAN = "A mean over heads has no queries and keys of its own: choose one head.";
const NOT_STORED = "To see q · k of this head, open the notebook: python run.py lab";
const OVER_ZERO = { false: "#0072b2", true: "#5aaee0" }; // by dark
const UNDER_ZERO = { false: "#d55e00", true: "#ff8c42" };

export function openNeuron(explorer, open) {
  const { layer, head } = explorer.panels[explorer.active];
  const of = head === "mean" ? [layer === "mean" ? 0 : layer, 0] : [layer, head];
  explorer.revealing = open;
  explorer.waiting.ask("neuron", open ? of : []);
}

// What the reader has just opened may lie below the window's edge.
function reveal(explorer) {
  if (!explorer.revealing) return;
  explorer.revealing = false;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  explorer.neuron.box.scrollIntoView({ block: "nearest", behavior: still ? "auto" : "smooth" });
}

function makeNeuron(explorer) {
  const title = make("p", "heading");
  const note = make("p", "note");
  const rows = ["q", "k", "q × k"].map(() => {
    const [name, canvas, number] = [make("span", "name"), make("canvas", "channels"), make("span", "number")];
    return { name, canvas, number, row: make("div", "channel-row", { "aria-hidden": "true" }, [name, number, canvas]) };
  });
  const given = { tabIndex: 0, role: "slider", "aria-label": "channel; arrow keys move", "aria-valuemin": 0 };
  const bars = make("div", "channel-rows", given, rows.map(({ row }) => row));
  const sum = make("p", "sum");
  const box = make("section", "neuron", { "aria-label": "neuron view" }, [title, note, bars, sum]);
  const neuron = { box, title, note, rows, bars, sum, channel: null, of: null };
  const look = (channel) => {
    neuron.channel = channel;
    drawRows(explorer, neuron);
  };
  bars.addEventListener("pointermove", (event) => {
    const { left, width } = rows[0].canvas.getBoundingClientRect();
    const share = (event.clientX - left) / width;
    look(share >= 0 && share < 1 ? Math.floor(share * neuron.pair.q.length) : null);
  });
  bars.addEventListener("pointerleave", () => look(null));
  bars.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1, Home: -1e9, End: 1e9 }[event.key];
    if (!move) return;
    event.preventDefault();
    look(within((neuron.channel ?? -1) + move, neuron.pair.q.length));
  });
  return neuron;
}

// The queries and keys of the panel's head as they came from Python, or null if they are of something else.
function arrived(explorer, neuron, panel) {
  const { model } = explorer;
  const wanted = JSON.stringify([model.get("revision"), model.get("step"), panel.layer, panel.head]);
  if (JSON.stringify(model.get("projected").of) !== wanted) return null;
  if (neuron.of !== wanted) {
    neuron.of = wanted;
    neuron.numbers = new Float32Array(copied(model.get("queries_keys")));
  }
  return neuron.numbers;
}

// The channels of the query of t, of the key of s, and their product.
function pairOf(numbers, T, t, s) {
  const D = numbers.length / (2 * T);
  const [q, k] = [t, T + s].map((at) => numbers.subarray(at * D, (at + 1) * D));
  return { q, k, product: q.map((value, i) => value * k[i]), sum: dot(q, k), D };
}

// Brings the view up to date, or takes it away; returns what it says, for the ear.
export function showNeuron(explorer) {
  const { model, controls } = explorer;
  const open = model.get("neuron").length > 0;
  controls.neuron.checked = open;
  if (!open) {
    explorer.neuron?.box.remove();
    explorer.neuron = null;
    return "";
  }
  explorer.neuron ??= makeNeuron(explorer);
  const { neuron, weights, t } = explorer;
  if (!neuron.box.parentNode) explorer.main.append(neuron.box);
  const panel = explorer.panels[explorer.active];
  const numbers = panel.head === "mean" ? null : arrived(explorer, neuron, panel);
  neuron.bars.hidden = neuron.sum.hidden = numbers === null;
  neuron.note.hidden = numbers !== null;
  if (numbers === null) return lacking(explorer, neuron, panel);
  const row = weights.row(explorer.place, panel.layer, panel.head, t);
  const s = keyOrLargest(explorer, row);
  neuron.pair = pairOf(numbers, weights.T, t, s);
  const [query, key] = [`${t} ${weights.tokens[t]}`, `${s} ${weights.tokens[s]}`];
  neuron.title.textContent = `q · k by channel, ${titleOf(panel)}`;
  [`q of ${query}`, `k of ${key}`, "q × k"].forEach((name, i) => (neuron.rows[i].name.textContent = name));
  drawRows(explorer, neuron);
  neuron.sum.textContent = inSum(neuron.pair, model.get("temperature"), row, s);
  reveal(explorer);
  return `key position ${s} ${spokenToken(weights.tokens[s])}: ${neuron.sum.textContent}`;
}

function lacking(explorer, neuron, panel) {
  const { model } = explorer;
  const wanted = [panel.layer, panel.head];
  neuron.title.textContent = titleOf(panel);
  const coming = panel.head !== "mean" && model.get("live");
  neuron.note.textContent = panel.head === "mean" ? MEAN : coming ? "…" : NOT_STORED;
  const asked = JSON.stringify(model.get("neuron")) === JSON.stringify(wanted);
  if (coming && !asked) explorer.waiting.ask("neuron", wanted);
  if (!coming) reveal(explorer);
  return panel.head === "mean" ? MEAN : "";
}

// The weight is that of the map, so that it is the same number everywhere.
function inSum({ sum, D }, temperature, row, s) {
  const score = sum / Math.sqrt(D);
  const cooled = temperature === 1 ? "" : ` → ÷ temperature ${temperature.toFixed(1)}: ${signed(score / temperature)}`;
  const last = s < row.length ? `softmax over ${row.length} keys: weight ${weightOf(row[s])}` : "masked: weight 0";
  return `sum of ${D} channels ${signed(sum)} → ÷ √${D}: ${signed(score)}${cooled} → ${last}`;
}

function drawRows(explorer, neuron) {
  const { pair, rows, bars, channel } = neuron;
  const values = [pair.q, pair.k, pair.product];
  const at = channel === null ? null : within(channel, pair.D);
  rows.forEach(({ canvas, number }, i) => {
    drawBars(canvas, values[i], at, explorer.table.dark);
    number.textContent = at === null ? `up to ${signed(largestOf(values[i]))}` : `channel ${at}: ${signed(values[i][at])}`;
  });
  const [q, k, product] = values.map((row) => signed(row[at ?? 0]));
  bars.setAttribute("aria-valuemax", pair.D - 1);
  bars.setAttribute("aria-valuenow", at ?? 0);
  bars.setAttribute("aria-valuetext", `channel ${at ?? 0}: q ${q}, k ${k}, q × k ${product}`);
}

// A bar a channel, up from the middle for what is above zero and down for what is below.
function drawBars(canvas, values, at, dark) {
  const [width, half, top] = [values.length * BAR, HEIGHT / 2, largestOf(values)];
  if (canvas.width !== width) [canvas.width, canvas.height] = [width, HEIGHT];
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, width, HEIGHT);
  context.fillStyle = "rgba(128, 128, 128, 0.3)";
  if (at !== null) context.fillRect(at * BAR, 0, BAR, HEIGHT);
  context.fillRect(0, half - 0.5, width, 1);
  values.forEach((value, i) => {
    const height = (Math.abs(value) / top) * (half - 1);
    context.fillStyle = (value < 0 ? UNDER_ZERO : OVER_ZERO)[dark];
    context.fillRect(i * BAR + 1, value < 0 ? half : half - height, BAR - 2, height);
  });
}
