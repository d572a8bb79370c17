// The pieces of the page. Each function builds one and returns its elements; what they show is decided in explorer.js.

import { SIDE } from "./canvas.js";

// An element with a class of this widget, properties, attributes (written in dashes) and children.
function make(tag, name, given = {}, children = []) {
  const element = document.createElement(tag);
  if (name) element.className = `gpt-explorer-${name}`;
  for (const [key, value] of Object.entries(given)) {
    if (key.includes("-") || key === "role") element.setAttribute(key, value);
    else element[key] = value;
  }
  element.append(...children);
  return element;
}

function labelled(words, input, after = []) {
  return make("label", "control", {}, [make("span", "", { textContent: words }), input, ...after]);
}

function slider(min, max, step) {
  return make("input", "slider", { type: "range", min, max, step });
}

export function makeControls() {
  const prompt = make("textarea", "prompt", { rows: 2, spellcheck: false, autocomplete: "off" });
  const mask = make("input", "", { type: "checkbox" });
  const temperature = slider(0.1, 4, 0.1);
  const temperatureSays = make("span", "says");
  const step = slider(0, 0, 1);
  const stepSays = make("span", "says");
  const compare = make("input", "", { type: "checkbox" });
  const png = make("button", "button", { type: "button", textContent: "save PNG" });
  const svg = make("button", "button", { type: "button", textContent: "save SVG" });
  const sentence = make("p", "sentence", { role: "status" });
  const note = make("p", "note", { hidden: true });
  const steps = labelled("training step", step, [stepSays]);
  const row = make("div", "row", {}, [
    steps,
    labelled("temperature", temperature, [temperatureSays]),
    labelled("mask", mask),
    labelled("compare two heads", compare),
    make("span", "saves", {}, [png, svg]),
  ]);
  const box = make("div", "controls", {}, [labelled("prompt", prompt), sentence, row, note]);
  box.firstChild.classList.add("gpt-explorer-wide");
  return { box, prompt, mask, temperature, temperatureSays, step, steps, stepSays, compare, png, svg, sentence, note };
}

// A button with a small picture for every head; the arrow keys move among them, so only one is a stop of the Tab key.
export function makeGrid(layers, heads) {
  const box = make("div", "grid", { role: "group", "aria-label": "all heads, a layer a row" });
  box.style.gridTemplateColumns = `auto repeat(${heads}, minmax(0, 4.6em))`;
  box.append(make("span", "corner", { textContent: "layer", "aria-hidden": "true" }));
  for (let head = 0; head < heads; head++) box.append(axis(head === 0 ? "head 1" : head + 1));
  const buttons = [];
  for (let layer = 0; layer < layers; layer++) {
    box.append(axis(layer + 1));
    for (let head = 0; head < heads; head++) {
      const button = make("button", "thumbnail", { type: "button" }, [document.createElement("canvas")]);
      Object.assign(button.dataset, { layer, head });
      buttons.push(button);
      box.append(button);
    }
  }
  return { box, buttons };
}

function axis(words) {
  return make("span", "axis", { textContent: words, "aria-hidden": "true" });
}

export function makePanel() {
  const title = make("button", "title", { type: "button" });
  const strip = make("div", "strip", { tabIndex: 0, role: "group" });
  const square = make("canvas", "square", { width: SIDE, height: SIDE });
  const [row, cell] = [make("div", "mark"), make("div", "mark")];
  const stack = make("div", "stack", { "aria-hidden": "true" }, [square, row, cell]);
  const attended = makeBars(6);
  const axes = make("p", "axes", { textContent: "rows: queries, columns: keys; striped: masked" });
  const box = make("section", "panel", {}, [title, strip, attended.box, stack, axes]);
  return { box, title, strip, stack, square, marks: { row, cell }, attended, spans: [] };
}

// The tokens as spans that wrap like text; a line ends where the text has one.
export function fillStrip(panel, tokens) {
  panel.spans = tokens.map((token, t) => {
    const span = make("span", "token", { textContent: token, "aria-hidden": "true" });
    span.dataset.t = t;
    return span;
  });
  panel.strip.classList.toggle("gpt-explorer-pieces", tokens.some((token) => token.length > 1));
  panel.strip.replaceChildren(
    ...panel.spans.flatMap((span) =>
      span.textContent.endsWith("↵") ? [span, document.createElement("br")] : [span],
    ),
  );
}

// A heading and `many` rows of name, bar and number.
export function makeBars(many) {
  const heading = make("p", "heading");
  const rows = Array.from({ length: many }, () => {
    const [name, fill, number] = ["name", "fill", "number"].map((part) => make("span", part));
    const row = make("div", "bar", {}, [name, number, make("span", "track", {}, [fill])]);
    return { row, name, fill, number };
  });
  const rest = make("p", "rest");
  const box = make("div", "bars", { "aria-hidden": "true" }, [heading, ...rows.map(({ row }) => row), rest]);
  box.style.setProperty("--rows", many);
  return { box, heading, rows, rest };
}

// entries: [name, share of 1, number in words]; rows that are left over are hidden.
export function fillBars(bars, heading, entries, rest = "") {
  write(bars.heading, heading);
  write(bars.rest, rest);
  bars.rows.forEach(({ row, name, fill, number }, i) => {
    const [words, share, value] = entries[i] ?? ["", 0, ""];
    row.hidden = !entries[i];
    write(name, words);
    fill.style.transform = `scaleX(${share})`;
    write(number, value);
  });
}

// New text only where it is new: the browser lays out again what is written, also the same words.
function write(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

export function makeLegend() {
  const scale = make("canvas", "scale", { width: 256, height: 1 });
  const ticks = [0, 0.1, 0.25, 0.5, 1].map((value) => {
    const tick = make("span", "tick", { textContent: value });
    tick.style.left = `${100 * Math.sqrt(value)}%`;
    return tick;
  });
  const box = make("div", "legend", { "aria-hidden": "true" }, [
    make("span", "", { textContent: "weight" }),
    make("span", "ruler", {}, [scale, ...ticks]),
  ]);
  return { box, scale };
}

export function makeVoice() {
  return make("div", "voice", { "aria-live": "polite" });
}
