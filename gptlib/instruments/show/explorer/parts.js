// The pieces of the page. Each function builds one and returns its elements; what they show is decided in explorer.js.

import { SIDE } from "./canvas.js";
import { maker } from "./elements.js";
import { makeBars } from "./bars.js";

export const make = maker("gpt-explorer");

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
  const neuron = make("input", "", { type: "checkbox" });
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
    labelled("q · k by channel", neuron),
    make("span", "saves", {}, [png, svg]),
  ]);
  const box = make("div", "controls", {}, [labelled("prompt", prompt), sentence, row, note]);
  box.firstChild.classList.add("gpt-explorer-wide");
  return {
    ...{ box, prompt, mask, temperature, temperatureSays, step, steps, stepSays },
    ...{ compare, neuron, png, svg, sentence, note },
  };
}

export function makePanel() {
  const title = make("button", "title", { type: "button" });
  const strip = make("div", "strip", { tabIndex: 0, role: "group" });
  const square = make("canvas", "square", { width: SIDE, height: SIDE });
  const [row, cell] = [make("div", "mark"), make("div", "mark")];
  const stack = make("div", "stack", { "aria-hidden": "true" }, [square, row, cell]);
  const attended = makeBars(6);
  const axes = make("p", "axes");
  const box = make("section", "panel", {}, [title, strip, attended.box, stack, axes]);
  return { box, title, strip, stack, square, axes, marks: { row, cell }, attended, spans: [] };
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
