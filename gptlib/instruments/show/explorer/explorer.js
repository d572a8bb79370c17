// The attention explorer: its state, and which part is drawn anew when something in it changes.

import { colourTable, isDark } from "./colours.js";
import { Weights, TOP, largest } from "./weights.js";
import { numberOf, spokenNext, spokenRow, weightOf } from "./words.js";
import { drawSquare, drawThumbnail, placeMarks } from "./canvas.js";
import { svgOf } from "./save.js";
import { fillBars, fillStrip, makeBars, makeControls, makeGrid, makeLegend, makePanel, makeVoice } from "./parts.js";
import { colourToken, others, showChosen, showControls, showSentence, showStep } from "./showing.js";
import { listenToControls, listenToHeads, listenToPanel, within } from "./events.js";

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
    this.t = 0; // the query that is shown
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
    model.on("change:sentence", () => showSentence(this));
    model.on("change:step", () => this.changeStep());
    model.on("change:position", () => this.takePosition());
    for (const name of ["heads", "locked"]) {
      model.on(`change:${name}`, () => {
        this.takePanels();
        this.view();
      });
    }
    listenToControls(this);
    listenToHeads(this);
  }

  ask(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
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
      for (const panel of this.panels) fillStrip(panel, tokens);
      this.t = T - 1;
    }
    this.s = null;
    if (this.panels.length === 0) this.takePanels(); // else a head that is only looked at stays
    if (this.model.get("position") >= 0) this.t = within(this.model.get("position"), T);
    showControls(this);
    showSentence(this);
    this.changeStep();
  }

  changeStep() {
    const { model } = this;
    const there = model.get("steps").length === 0 || model.get("stored").includes(model.get("step"));
    if (there) this.place = this.weights.placeOf(model.get("step")); // else Python sends it in a moment
    showStep(this);
    this.drawThumbnails();
    this.view();
  }

  view() {
    for (const panel of this.panels) this.drawPanel(panel);
    showChosen(this);
    this.point();
  }

  takePosition() {
    const position = this.model.get("position");
    if (position >= 0) this.pointAt(within(position, this.weights.T), this.s);
    showChosen(this);
  }

  // The heads or their locks have changed, here or in Python.
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
    listenToPanel(this, panel);
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

  // Another query is shown: what depends on it, and no more, so that it follows the pointer.
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
    panel.spans.forEach((span, s) => colourToken(this, span, s, row));
    placeMarks(panel.marks, weights, t, this.s);
    const top = largest(row, panel.attended.rows.length);
    const entries = top.map(([s, byte]) => [`${String(s).padStart(3)} ${weights.tokens[s]}`, byte / 255, weightOf(byte)]);
    fillBars(panel.attended, `position ${t} ${weights.tokens[t]} attends to`, entries, others(this, row, top));
  }

  say(next) {
    const rows = this.panels.map((panel) => {
      const row = this.weights.row(this.place, panel.layer, panel.head, this.t);
      return spokenRow(this.weights, this.t, panel, largest(row, 3));
    });
    this.voice.textContent = [...rows, spokenNext(next)].join("; ");
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
    showChosen(this);
    this.point();
  }

  lock(locked) {
    this.panels[this.active].locked = locked;
    this.keep();
  }

  keep(panels = this.panels) {
    const heads = panels.map(({ layer, head }) => [layer, head]);
    const locked = panels.map((panel) => panel.locked); // both before the first set, which calls takePanels
    this.model.set("heads", heads);
    this.model.set("locked", locked);
    this.model.save_changes();
  }

  compareTwo(two) {
    const [first] = this.panels;
    const other = { layer: first.layer, head: (first.head + 1) % this.weights.heads, locked: false };
    this.keep(two ? [first, other] : [first]);
  }

  hold(t) {
    this.model.set("position", t);
    this.model.save_changes();
  }

  pointAt(t, s = null) {
    if (t === this.t && s === this.s) return;
    this.t = t;
    this.s = s;
    this.point();
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
