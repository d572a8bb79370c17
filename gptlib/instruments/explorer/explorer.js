// The attention explorer: state, events, and which part is drawn anew after which.

import { colourTable, isDark } from "./colours.js";
import { Weights, TOP, largest } from "./weights.js";
import { nameOf, numberOf, spokenNext, spokenRow, spokenToken, weightOf } from "./words.js";
import { cellAt, drawSquare, drawThumbnail, placeMarks } from "./canvas.js";
import { saveSvg, savePng, svgOf } from "./save.js";
import { fillBars, fillStrip, makeBars, makeControls, makeGrid, makeLegend, makePanel, makeVoice } from "./parts.js";

const TYPING_PAUSE = 250; // ms without a key before Python is asked
const SLIDING_PAUSE = 120;
const NEEDS_PYTHON = "To change the prompt, the mask or the temperature, open the notebook: python run.py lab";
const KEYS = "arrow keys move, Enter locks, Escape unlocks";
const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

function debounced(action, pause) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(action, pause);
  };
}

function within(value, many) {
  return Math.max(0, Math.min(many - 1, value));
}

class Explorer {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.controls = makeControls();
    this.legend = makeLegend();
    this.voice = makeVoice();
    this.heads = document.createElement("div");
    this.views = document.createElement("div");
    this.next = makeBars(TOP);
    this.panels = [];
    this.active = 0; // the panel that the thumbnails speak to
    this.t = 0; // the token that is asked
    this.s = null; // the token under the pointer in a square
    this.build();
    this.listen();
    this.themed();
    this.load();
  }

  build() {
    this.root.classList.add("gpt-explorer");
    this.root.dataset.lmSuppressShortcuts = "true"; // else JupyterLab takes the arrow keys and Enter
    this.heads.className = "gpt-explorer-heads";
    this.views.className = "gpt-explorer-views";
    this.next.box.classList.add("gpt-explorer-next");
    const overview = document.createElement("div");
    overview.className = "gpt-explorer-overview";
    overview.append(this.heads, this.legend.box);
    this.main = document.createElement("div");
    this.main.className = "gpt-explorer-main";
    this.main.append(overview, this.views, this.next.box);
    this.root.replaceChildren(this.controls.box, this.main, this.voice);
  }

  // ---- what Python knows

  listen() {
    const { model } = this;
    model.on("change:revision", () => this.load());
    model.on("change:sentence", () => this.showSentence());
    model.on("change:step", () => this.changeStep());
    for (const name of ["heads", "locked", "position"]) model.on(`change:${name}`, () => this.view());
    this.listenToControls();
    this.listenToHeads();
  }

  ask(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
  }

  listenToControls() {
    const { prompt, mask, temperature, step, compare, png, svg } = this.controls;
    const typed = debounced(() => this.ask("prompt", prompt.value), TYPING_PAUSE);
    const warmed = debounced(() => this.ask("temperature", Number(temperature.value)), SLIDING_PAUSE);
    prompt.addEventListener("input", typed);
    temperature.addEventListener("input", () => {
      this.controls.temperatureSays.textContent = Number(temperature.value).toFixed(1);
      warmed();
    });
    mask.addEventListener("change", () => this.ask("masked", mask.checked));
    step.addEventListener("input", () => this.stepTo(this.model.get("steps")[step.value]));
    compare.addEventListener("change", () => this.compareTwo(compare.checked));
    svg.addEventListener("click", () => saveSvg(this.svg(), this.panels));
    png.addEventListener("click", () => savePng(this.svg(), this.panels));
    this.root.addEventListener("keydown", (event) => this.escape(event));
  }

  // A new prompt, temperature, mask or set of weights: everything is drawn.
  load() {
    const before = this.weights?.tokens.join("\n");
    this.weights = new Weights(this.model);
    const { layers, heads, T, tokens } = this.weights;
    if (this.grid?.buttons.length !== layers * heads) {
      this.grid = makeGrid(layers, heads);
      this.heads.replaceChildren(this.grid.box);
    }
    if (before !== tokens.join("\n")) {
      this.panels = [];
      this.t = T - 1;
    }
    this.s = null;
    this.showControls();
    this.showSentence();
    this.changeStep();
  }

  changeStep() {
    const { model } = this;
    const there = model.get("steps").length === 0 || model.get("stored").includes(model.get("step"));
    if (there) this.place = this.weights.placeOf(model.get("step")); // else Python sends it in a moment
    this.showStep();
    this.drawThumbnails();
    this.view();
  }

  // The heads or the locks have changed, here or in Python.
  view() {
    this.takePanels();
    const position = this.model.get("position");
    if (position >= 0) this.t = within(position, this.weights.T);
    for (const panel of this.panels) this.drawPanel(panel);
    this.showChosen();
    this.point();
  }

  takePanels() {
    const { layers, heads } = this.weights;
    const wanted = this.model.get("heads");
    const locked = this.model.get("locked");
    if (this.panels.length !== wanted.length) {
      this.panels = wanted.map(() => this.newPanel());
      this.views.replaceChildren(...this.panels.map((panel) => panel.box));
      this.main.classList.toggle("gpt-explorer-two", this.panels.length > 1);
      this.active = wanted.length - 1;
    }
    this.panels.forEach((panel, i) => {
      panel.layer = within(wanted[i][0], layers);
      panel.head = within(wanted[i][1], heads);
      panel.locked = locked[i] ?? false;
    });
  }

  newPanel() {
    const panel = makePanel();
    fillStrip(panel, this.weights.tokens);
    this.listenToPanel(panel);
    return panel;
  }

  // ---- drawing

  themed() {
    this.table = colourTable(isDark(this.root));
    const image = new ImageData(256, 1);
    const pixels = new Uint32Array(image.data.buffer);
    for (let x = 0; x < 256; x++) pixels[x] = this.table.pixels[Math.round((x / 255) ** 2 * 255)];
    this.legend.scale.getContext("2d").putImageData(image, 0, 0);
    this.root.style.setProperty("--hatch", this.table.hatch);
    this.root.style.setProperty("--mark", this.table.mark);
  }

  retheme() {
    if (isDark(this.root) === this.table.dark) return;
    this.themed();
    this.drawThumbnails();
    this.view();
  }

  drawThumbnails() {
    for (const button of this.grid.buttons) {
      const { layer, head } = button.dataset;
      drawThumbnail(button.firstChild, this.weights, this.weights.head(this.place, +layer, +head), this.table);
    }
  }

  drawPanel(panel) {
    const bytes = this.weights.head(this.place, panel.layer, panel.head);
    drawSquare(panel.square, this.weights, bytes, this.table);
  }

  // The asked token has changed: what depends on it, and no more, so that it follows the pointer.
  point() {
    for (const panel of this.panels) this.pointPanel(panel);
    const next = this.weights.next(this.place, this.t);
    const entries = next.map(([label, chance]) => [label, chance, numberOf(chance)]);
    const heading = `after position ${this.t} ${this.weights.tokens[this.t]} comes`;
    fillBars(this.next, heading, entries);
    this.say(next);
  }

  pointPanel(panel) {
    const { weights, t } = this;
    const row = weights.row(this.place, panel.layer, panel.head, t);
    panel.spans.forEach((span, s) => this.colourToken(span, s, row));
    placeMarks(panel.marks, weights, t, this.s);
    const top = largest(row, panel.heard.rows.length);
    const entries = top.map(([s, byte]) => [`${String(s).padStart(3)} ${weights.tokens[s]}`, byte / 255, weightOf(byte)]);
    fillBars(panel.heard, `position ${t} ${weights.tokens[t]} listens to`, entries, this.others(row, top));
  }

  // The rest is what the largest leave of 1: the many small ones, each rounded, would add up less well.
  others(row, top) {
    if (this.s !== null && this.s < row.length) {
      const token = this.weights.tokens[this.s];
      return `under the pointer: position ${this.s} ${token} ${weightOf(row[this.s])}`;
    }
    const left = row.length - top.length;
    const rest = 255 - top.reduce((total, [, byte]) => total + byte, 0);
    return left > 0 ? `${left} more together ${weightOf(rest)}` : "";
  }

  colourToken(span, s, row) {
    const masked = s >= row.length;
    const colour = masked ? "" : this.table.css[row[s]];
    if (span.colour !== colour) {
      span.colour = colour;
      span.style.backgroundColor = colour;
      span.style.color = masked ? "" : this.table.inks[row[s]];
    }
    const kind = (masked ? " masked" : "") + (s === this.t ? " asked" : "");
    if (span.kind !== kind) {
      span.kind = kind;
      span.className = "gpt-explorer-token" + kind.replaceAll(" ", " gpt-explorer-");
    }
  }

  say(next) {
    const rows = this.panels.map((panel) => {
      const row = this.weights.row(this.place, panel.layer, panel.head, this.t);
      return spokenRow(this.weights, this.t, panel, largest(row, 3));
    });
    this.voice.textContent = [...rows, spokenNext(next)].join("; ");
  }

  showChosen() {
    const now = this.panels[this.active];
    for (const button of this.grid.buttons) {
      const [layer, head] = [+button.dataset.layer, +button.dataset.head];
      const shown = this.panels.findIndex((panel) => panel.layer === layer && panel.head === head);
      const locked = shown >= 0 && this.panels[shown].locked;
      button.tabIndex = now.layer === layer && now.head === head ? 0 : -1;
      button.classList.toggle("gpt-explorer-shown", shown >= 0);
      button.setAttribute("aria-pressed", String(locked));
      button.setAttribute("aria-label", `${nameOf({ layer, head })}${locked ? ", locked" : ""}; ${KEYS}`);
    }
    this.panels.forEach((panel, i) => this.showTitle(panel, i));
  }

  showTitle(panel, i) {
    const several = this.panels.length > 1;
    panel.title.textContent = `layer ${panel.layer + 1} · head ${panel.head + 1}${panel.locked ? " · locked" : ""}`;
    panel.title.setAttribute("aria-pressed", String(panel.locked));
    panel.title.setAttribute("aria-label", `${nameOf(panel)}, ${panel.locked ? "locked" : "not locked"}`);
    panel.box.classList.toggle("gpt-explorer-active", several && i === this.active);
    panel.strip.setAttribute("aria-label", `tokens, ${nameOf(panel)}; ${KEYS}`);
    panel.strip.classList.toggle("gpt-explorer-held", this.model.get("position") >= 0);
  }

  showControls() {
    const { model, controls } = this;
    const live = model.get("live");
    if (controls.prompt.getRootNode().activeElement !== controls.prompt) {
      controls.prompt.value = model.get("prompt");
    }
    controls.mask.checked = model.get("masked");
    controls.temperature.value = model.get("temperature");
    controls.temperatureSays.textContent = model.get("temperature").toFixed(1);
    controls.compare.checked = model.get("heads").length > 1;
    for (const name of ["prompt", "mask", "temperature"]) controls[name].disabled = !live;
    controls.note.hidden = live;
    controls.note.textContent = live ? "" : NEEDS_PYTHON;
  }

  showStep() {
    const { model, controls } = this;
    const steps = model.get("steps");
    controls.steps.hidden = steps.length < 2;
    controls.step.max = Math.max(0, steps.length - 1);
    controls.step.value = Math.max(0, steps.indexOf(model.get("step")));
    controls.step.disabled = !model.get("live") && model.get("stored").length < steps.length;
    controls.stepSays.textContent = model.get("step");
    controls.step.setAttribute("aria-valuetext", `step ${model.get("step")}`);
  }

  showSentence() {
    this.controls.sentence.textContent = this.model.get("sentence");
  }

  // ---- choosing

  stepTo(step) {
    this.model.set("step", step); // a stored step is drawn by the change itself
    this.model.save_changes();
  }

  // Show a head in the active panel for as long as the pointer is on it; locking keeps it.
  choose(layer, head) {
    const panel = this.panels[this.active];
    if (panel.layer === layer && panel.head === head) return;
    Object.assign(panel, { layer, head });
    this.drawPanel(panel);
    this.showChosen();
    this.point();
  }

  lock(locked) {
    this.panels[this.active].locked = locked;
    this.keep();
  }

  keep(panels = this.panels) {
    const heads = panels.map(({ layer, head }) => [layer, head]);
    const locked = panels.map((panel) => panel.locked); // both before the first set: it calls view
    this.model.set("heads", heads);
    this.model.set("locked", locked);
    this.model.save_changes();
    this.showChosen();
  }

  compareTwo(two) {
    const [first] = this.panels;
    const other = { layer: first.layer, head: (first.head + 1) % this.weights.heads, locked: false };
    this.keep(two ? [first, other] : [first]);
  }

  hold(t) {
    this.model.set("position", t);
    this.model.save_changes();
    this.showChosen();
  }

  pointAt(t, s = null) {
    if (t === this.t && s === this.s) return;
    this.t = t;
    this.s = s;
    this.point();
  }

  // ---- pointer and keys

  listenToHeads() {
    const of = (event) => event.target.closest(".gpt-explorer-thumbnail");
    const chosen = (button, panel) => panel.layer === +button.dataset.layer && panel.head === +button.dataset.head;
    this.heads.addEventListener("pointerover", (event) => {
      const button = of(event);
      if (button && !this.panels[this.active].locked) this.choose(+button.dataset.layer, +button.dataset.head);
    });
    this.heads.addEventListener("click", (event) => {
      const [button, panel] = [of(event), this.panels[this.active]];
      if (!button) return;
      const again = panel.locked && chosen(button, panel);
      this.choose(+button.dataset.layer, +button.dataset.head);
      this.lock(!again);
    });
    this.heads.addEventListener("keydown", (event) => this.moveHead(event, of(event)));
  }

  moveHead(event, button) {
    const arrow = ARROWS[event.key];
    if (!arrow || !button) return;
    event.preventDefault();
    const { layers, heads } = this.weights;
    const layer = within(+button.dataset.layer + arrow[0], layers);
    const head = within(+button.dataset.head + arrow[1], heads);
    this.panels[this.active].locked = false;
    this.choose(layer, head);
    this.keep();
    this.grid.buttons[layer * heads + head].focus();
  }

  listenToPanel(panel) {
    const { strip, stack, title } = panel;
    strip.addEventListener("pointerover", (event) => this.hover(event.target.dataset.t));
    strip.addEventListener("click", (event) => this.toggleToken(event.target.dataset.t));
    strip.addEventListener("keydown", (event) => this.moveToken(event));
    stack.addEventListener("pointermove", (event) => this.hoverSquare(event, stack));
    stack.addEventListener("pointerleave", () => this.pointAt(this.t));
    stack.addEventListener("click", () => this.toggleToken(this.t));
    title.addEventListener("click", () => this.clickTitle(panel));
  }

  clickTitle(panel) {
    const already = this.panels[this.active] === panel;
    this.active = this.panels.indexOf(panel);
    if (already) this.lock(!panel.locked);
    this.showChosen();
  }

  hover(t) {
    if (t !== undefined && this.model.get("position") < 0) this.pointAt(+t);
  }

  hoverSquare(event, stack) {
    const { left, top, width, height } = stack.getBoundingClientRect();
    const found = cellAt(this.weights, (event.clientX - left) / width, (event.clientY - top) / height);
    if (!found) return;
    const held = this.model.get("position") >= 0;
    this.pointAt(held ? this.t : found.t, held && found.t !== this.t ? null : found.s);
  }

  toggleToken(t) {
    if (t === undefined) return;
    const held = this.model.get("position") === +t;
    this.pointAt(+t);
    this.hold(held ? -1 : +t);
  }

  moveToken(event) {
    const arrow = ARROWS[event.key];
    const ends = { Home: -this.weights.T, End: this.weights.T };
    if (arrow || event.key in ends) {
      event.preventDefault();
      const t = within(this.t + (arrow ? arrow[0] + arrow[1] : ends[event.key]), this.weights.T);
      if (this.model.get("position") >= 0) this.hold(t);
      this.pointAt(t);
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.toggleToken(this.t);
    }
  }

  escape(event) {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    this.panels.forEach((panel) => (panel.locked = false));
    this.keep();
    this.hold(-1);
  }

  svg() {
    return svgOf(this.weights, this.place, this.panels, this.t);
  }
}

// Calls action whenever element gets into the page or the page may have changed between light and dark; returns a
// function that ends that.
function onTheme(element, action) {
  const arrival = new ResizeObserver(action);
  arrival.observe(element);
  const watcher = new MutationObserver(action);
  watcher.observe(document.body, { attributes: true });
  watcher.observe(document.documentElement, { attributes: true });
  const media = matchMedia("(prefers-color-scheme: dark)");
  media.addEventListener("change", action);
  return () => {
    arrival.disconnect();
    watcher.disconnect();
    media.removeEventListener("change", action);
  };
}

function render({ model, el }) {
  const root = document.createElement("div");
  el.append(root);
  const explorer = new Explorer(model, root);
  return onTheme(root, () => explorer.retheme());
}

export default { render };
