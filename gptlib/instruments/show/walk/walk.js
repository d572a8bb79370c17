// The walk: the numbers of one forward pass, shown step by step. Python sends all of them once for a prompt; everything
// after that (another character, layer, head or step) is worked out and drawn here.

const TYPING_PAUSE = 250; // ms without a key before Python is asked
const NEEDS_PYTHON = "To change the prompt, open the notebook: python run.py lab";
const MANY = 8; // rows of a list: the largest

const STEPS = {
  embed: ["Embedding", "The character's row of the token table, plus the row of its position: the start of the residual stream."],
  normed: ["Norm", "Attention reads the residual stream through a norm."],
  qkv: ["Query, key, value", "Three matrices turn the normed row into what it looks for (q), what others may find (k), and what it hands over (v)."],
  scores: ["Scores", "The query's dot product with the key of every position."],
  scaled: ["Scale", "Divided by the root of the number of channels, so that the scores do not grow with it."],
  masked: ["Mask", "What comes later may not be attended to: its score becomes −∞."],
  softmax: ["Softmax", "eˣ of every score, divided by their sum: weights that add to one."],
  out: ["Weighted sum", "The values of all positions, averaged with these weights: what this head found."],
  merge: ["All heads", "What all heads of the layer found, side by side, goes through the projection."],
  added: ["Residual", "The result is added to the residual stream."],
  hidden: ["Feed-forward", "A wider layer with a ReLU: most channels stay at zero."],
  ffwd: ["Residual again", "Projected back, and added to the residual stream: the block is done."],
  blocks: ["The other blocks", "The same again in every block. The length of the row, block by block:"],
  logits: ["Logits, softmax", "The last norm, lm_head, softmax: how probable each next character is."],
};

function half(bits) {
  const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return exponent === 31 ? (fraction ? NaN : sign * Infinity) : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

// Named arrays of numbers: get("q", layer, head, t) is a row.
class Numbers {
  constructor(model) {
    const view = model.get("numbers");
    this.shapes = model.get("shapes");
    this.flat = new Float32Array(view.byteLength / 2);
    for (let i = 0; i < this.flat.length; i++) this.flat[i] = half(view.getUint16(2 * i, true));
  }

  get(name, ...place) {
    const [offset, shape] = this.shapes[name];
    let [start, size] = [0, shape.reduce((product, n) => product * n, 1)];
    place.forEach((index, axis) => {
      size /= shape[axis];
      start += index * size;
    });
    return this.flat.subarray(offset + start, offset + start + size);
  }

  size(name, axis) {
    return this.shapes[name][1][axis];
  }
}

function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

function softmax(scores) {
  const top = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - top));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

function number(value) {
  if (value === -Infinity) return "−∞";
  const text = Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(2);
  return text.replace("-", "−");
}

// What attention does for one query, as far as each step has come.
export function attended(numbers, layer, head, t) {
  const q = numbers.get("q", layer, head, t);
  const T = numbers.size("q", 2);
  const scores = Array.from({ length: T }, (_, s) => dot(q, numbers.get("k", layer, head, s)));
  const scaled = scores.map((score) => score / Math.sqrt(q.length));
  const masked = scaled.map((score, s) => (s > t ? -Infinity : score));
  const weights = softmax(masked);
  const out = new Float32Array(q.length);
  weights.forEach((weight, s) => numbers.get("v", layer, head, s).forEach((value, i) => (out[i] += weight * value)));
  return { scores, scaled, masked, weights, out };
}

// ---- elements

function make(tag, name, given = {}, children = []) {
  const element = document.createElement(tag);
  if (name) element.className = name.split(" ").map((part) => `gpt-walk-${part}`).join(" ");
  for (const [key, value] of Object.entries(given)) {
    if (key.includes("-") || key === "role") element.setAttribute(key, value);
    else element[key] = value;
  }
  element.append(...children);
  return element;
}

// A row of numbers as a strip of cells: blue above zero, orange below, paler towards it; each says its number.
function strip(name, values, largest = 0) {
  const top = largest || Math.max(1e-9, ...Array.from(values, Math.abs));
  const width = Math.max(values.length, 1);
  const canvas = make("canvas", "cells", { width, height: 1, role: "img" });
  canvas.setAttribute("aria-label", `${name}: ${values.length} numbers`);
  const context = canvas.getContext("2d");
  values.forEach((value, i) => {
    const alpha = Math.min(1, Math.abs(value) / top);
    context.fillStyle = value < 0 ? `rgba(213, 94, 0, ${alpha})` : `rgba(0, 114, 178, ${alpha})`;
    context.fillRect(i, 0, 1, 1);
  });
  const says = make("span", "says", { textContent: `${values.length} numbers` });
  canvas.addEventListener("pointermove", (event) => {
    const { left, width: wide } = canvas.getBoundingClientRect();
    const i = Math.max(0, Math.min(values.length - 1, Math.floor(((event.clientX - left) / wide) * values.length)));
    says.textContent = `channel ${i}: ${number(values[i])}`;
  });
  canvas.addEventListener("pointerleave", () => (says.textContent = `${values.length} numbers`));
  return make("div", "strip", {}, [make("span", "name", { textContent: name }), canvas, says]);
}

// Rows of a label, a bar and a number; a bar to the left is below zero.
function bars(rows, options = {}) {
  const finite = rows.map(([, value]) => value).filter(Number.isFinite);
  const top = options.top ?? Math.max(1e-9, ...finite.map(Math.abs));
  const both = finite.some((value) => value < 0); // zero is in the middle then, else at the left
  return make("div", "bars", { role: "list" }, rows.map(([label, value, kind]) => {
    const fill = make("span", value < 0 ? "fill below" : "fill");
    fill.style.width = `${Number.isFinite(value) ? ((both ? 50 : 100) * Math.abs(value)) / top : 0}%`;
    if (!both) fill.style.left = 0;
    const row = make("div", kind ? `bar ${kind}` : "bar", { role: "listitem" }, [
      make("span", "label", { textContent: label }),
      make("span", "number", { textContent: number(value) }),
      make("span", "track", {}, [fill]),
    ]);
    return row;
  }));
}

function norm(values) {
  return Math.sqrt(dot(values, values));
}

// ---- what each step shows

const SHOWN = {
  embed({ numbers, t }) {
    const [token, position] = [numbers.get("token", t), numbers.get("position", t)];
    const sum = token.map((value, i) => value + position[i]);
    const top = Math.max(...Array.from(sum, Math.abs));
    return [strip("token", token, top), strip("+ position", position, top), strip("= x", sum, top)];
  },
  normed({ numbers, t, layer }) {
    return [
      strip(`x, in front of block ${layer + 1}`, numbers.get("stream", layer, 0, t)),
      strip("normed", numbers.get("normed", layer, 0, t)),
    ];
  },
  qkv({ numbers, t, layer, head }) {
    return ["q", "k", "v"].map((name) => strip(name, numbers.get(name, layer, head, t)));
  },
  scores: (walk) => [walk.list(walk.attention.scores)],
  scaled: (walk) => [walk.list(walk.attention.scaled)],
  masked: (walk) => [walk.list(walk.attention.masked)],
  softmax: (walk) => [walk.list(walk.attention.weights, { top: 1 })],
  out({ numbers, t, layer, head, attention, tokens }) {
    const order = [...attention.weights.keys()].sort((a, b) => attention.weights[b] - attention.weights[a]);
    const largest = order.filter((s) => s <= t).slice(0, 4);
    const rows = largest.map((s) =>
      strip(`${number(attention.weights[s])} × v of ${s} ${tokens[s]}`, numbers.get("v", layer, head, s)),
    );
    return [...rows, strip("= out", attention.out)];
  },
  merge({ numbers, t, layer }) {
    const H = numbers.size("q", 1);
    const outs = Array.from({ length: H }, (_, head) => attended(numbers, layer, head, t).out);
    const top = Math.max(...outs.map((out) => Math.max(...Array.from(out, Math.abs))));
    return [
      ...outs.map((out, head) => strip(`head ${head + 1}`, out, top)),
      strip("projected", numbers.get("attention", layer, t)),
    ];
  },
  added({ numbers, t, layer }) {
    const parts = [numbers.get("stream", layer, 0, t), numbers.get("attention", layer, t), numbers.get("stream", layer, 1, t)];
    const top = Math.max(...parts.map((part) => Math.max(...Array.from(part, Math.abs))));
    return parts.map((part, i) => strip(["x", "+ attention", "= x"][i], part, top));
  },
  hidden({ numbers, t, layer }) {
    const values = numbers.get("hidden", layer, t);
    const open = Array.from(values).filter((value) => value > 0).length;
    return [
      strip("normed", numbers.get("normed", layer, 1, t)),
      strip("after the ReLU", values),
      make("p", "note", { textContent: `${open} of ${values.length} channels are above zero.` }),
    ];
  },
  ffwd({ numbers, t, layer }) {
    const parts = [numbers.get("stream", layer, 1, t), numbers.get("ffwd", layer, t), numbers.get("stream", layer, 2, t)];
    const top = Math.max(...parts.map((part) => Math.max(...Array.from(part, Math.abs))));
    return parts.map((part, i) => strip(["x", "+ feed-forward", "= x"][i], part, top));
  },
  blocks({ numbers, t, layer }) {
    const L = numbers.size("stream", 0);
    const rows = Array.from({ length: L }, (_, l) => [`after block ${l + 1}`, norm(numbers.get("stream", l, 2, t)), l === layer ? "here" : ""]);
    return [bars([["embedding", norm(numbers.get("stream", 0, 0, t))], ...rows])];
  },
  logits({ numbers, t, alphabet, tokens }) {
    const logits = Array.from(numbers.get("logits", t));
    const chances = softmax(logits);
    const order = [...chances.keys()].sort((a, b) => chances[b] - chances[a]).slice(0, MANY);
    const next = t + 1 < tokens.length ? `; in the text comes ${tokens[t + 1]}` : "";
    return [
      make("p", "note", { textContent: `logit and probability of the likeliest${next}` }),
      bars(order.map((i) => [`${alphabet[i]}  ${number(logits[i])}`, chances[i], tokens[t + 1] === alphabet[i] ? "here" : ""]), { top: 1 }),
    ];
  },
};

class Walk {
  constructor(model, root) {
    this.model = model;
    root.classList.add("gpt-walk");
    root.dataset.lmSuppressShortcuts = "true"; // else JupyterLab takes the arrow keys
    this.build(root);
    for (const name of ["position", "layer", "head", "step"]) model.on(`change:${name}`, () => this.draw());
    model.on("change:revision", () => this.load());
    model.on("change:sentence", () => this.showState());
    model.on("change:stale", () => this.showState());
    this.load();
  }

  build(root) {
    this.prompt = make("textarea", "prompt", { rows: 2, spellcheck: false, autocomplete: "off" });
    this.sentence = make("p", "sentence", { role: "status" });
    this.tokens_ = make("div", "tokens", { role: "radiogroup", "aria-label": "the character to follow" });
    this.selects = { layer: make("select", ""), head: make("select", "") };
    this.steps = make("div", "steps", { role: "tablist", "aria-label": "steps; arrow keys move" });
    this.title = make("h4", "title");
    this.words = make("p", "words");
    this.code = make("code", "code");
    this.body = make("div", "body");
    this.panel = make("div", "panel", { role: "tabpanel", "aria-live": "polite" }, [this.title, this.words, this.code, this.body]);
    const labelled = (words, input) => make("label", "control", {}, [make("span", "", { textContent: words }), input]);
    const controls = make("div", "controls", {}, [
      labelled("text", this.prompt), labelled("layer", this.selects.layer), labelled("head", this.selects.head),
    ]);
    root.replaceChildren(controls, this.sentence, this.tokens_, make("div", "main", {}, [this.steps, this.panel]));
    let timer = 0;
    this.prompt.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => this.set("prompt", this.prompt.value), TYPING_PAUSE);
    });
    for (const [name, select] of Object.entries(this.selects)) {
      select.addEventListener("change", () => this.set(name, Number(select.value)));
    }
    this.steps.addEventListener("keydown", (event) => this.key(event, { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1 }));
    this.tokens_.addEventListener("keydown", (event) => this.keyToken(event));
  }

  set(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
  }

  key(event, moves) {
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    const steps = this.model.get("steps");
    const place = Math.max(0, Math.min(steps.length - 1, steps.indexOf(this.model.get("step")) + move));
    this.set("step", steps[place]);
    this.steps.children[place].focus();
  }

  keyToken(event) {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!move) return;
    event.preventDefault();
    const t = Math.max(0, Math.min(this.tokens.length - 1, this.model.get("position") + move));
    this.set("position", t);
    this.tokens_.children[t].focus();
  }

  load() {
    const { model } = this;
    this.numbers = new Numbers(model);
    this.tokens = model.get("tokens");
    this.alphabet = model.get("alphabet");
    if (this.prompt.getRootNode().activeElement !== this.prompt) this.prompt.value = model.get("prompt");
    this.prompt.disabled = !model.get("live");
    const sizes = { layer: this.numbers.size("q", 0), head: this.numbers.size("q", 1) };
    for (const [name, select] of Object.entries(this.selects)) {
      select.replaceChildren(...Array.from({ length: sizes[name] }, (_, i) => new Option(i + 1, i)));
    }
    this.tokens_.replaceChildren(...this.tokens.map((token, t) => {
      const button = make("button", "token", { type: "button", textContent: token, role: "radio" });
      button.addEventListener("click", () => this.set("position", t));
      return button;
    }));
    this.steps.replaceChildren(...model.get("steps").map((step, i) => {
      const button = make("button", "step", { type: "button", textContent: `${i + 1} ${STEPS[step][0]}`, role: "tab" });
      button.addEventListener("click", () => this.set("step", step));
      return button;
    }));
    this.showState();
    this.draw();
  }

  showState() {
    const live = this.model.get("live");
    this.sentence.textContent = this.model.get("sentence") || (live ? "" : NEEDS_PYTHON);
    this.panel.classList.toggle("gpt-walk-stale", this.model.get("stale"));
  }

  list(values, options) {
    return bars(Array.from(values, (value, s) => [`${s} ${this.tokens[s]}`, value, s === this.t ? "here" : s > this.t ? "later" : ""]), options);
  }

  draw() {
    const { model } = this;
    const within = (name, many) => Math.max(0, Math.min(many - 1, model.get(name)));
    this.t = within("position", this.tokens.length);
    this.layer = within("layer", this.numbers.size("q", 0));
    this.head = within("head", this.numbers.size("q", 1));
    this.selects.layer.value = this.layer;
    this.selects.head.value = this.head;
    const step = model.get("step");
    this.attention = attended(this.numbers, this.layer, this.head, this.t);
    const place = model.get("steps").indexOf(step);
    [...this.steps.children].forEach((button, i) => {
      button.setAttribute("aria-selected", String(i === place));
      button.tabIndex = i === place ? 0 : -1;
    });
    [...this.tokens_.children].forEach((button, s) => {
      button.setAttribute("aria-checked", String(s === this.t));
      button.setAttribute("aria-label", `position ${s}, ${this.tokens[s]}`);
      button.tabIndex = s === this.t ? 0 : -1;
    });
    const [title, words] = STEPS[step];
    const where = ["embed", "blocks", "logits"].includes(step) ? "" : ` · block ${this.layer + 1}`;
    const which = ["qkv", "scores", "scaled", "masked", "softmax", "out"].includes(step) ? `, head ${this.head + 1}` : "";
    this.title.textContent = `${title}: position ${this.t} ${this.tokens[this.t]}${where}${which}`;
    this.words.textContent = words;
    this.code.textContent = model.get("code")[step];
    this.body.replaceChildren(...SHOWN[step](this));
  }
}

function render({ model, el }) {
  const root = document.createElement("div");
  el.append(root);
  new Walk(model, root);
}

export default { render };
