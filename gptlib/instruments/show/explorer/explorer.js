// The attention explorer: its state, and which part is drawn anew when something in it changes.

import { isDark } from "./colours.js";
import { within } from "./elements.js";
import { keepKeys } from "./keys.js";
import { Waiting } from "./waiting.js";
import { Weights, TOP } from "./weights.js";
import { drawSquare, drawThumbnail } from "./canvas.js";
import { choose, pointAt } from "./choosing.js";
import { makeControls, makeLegend, makePanel, makeVoice, fillStrip } from "./parts.js";
import { makeBars } from "./bars.js";
import { headOf, makeGrid } from "./grid.js";
import { showChosen, showControls, showState, showStep } from "./showing.js";
import { showPoint } from "./pointing.js";
import { listenToControls, listenToHeads, listenToPanel } from "./events.js";
import { showNeuron } from "./neuron.js";
import { onTheme, putColours } from "./theme.js";

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
    this.waiting = new Waiting(model, () => this.asks(), () => showState(this));
    this.build();
    this.listen();
    putColours(this);
    this.load();
  }

  build() {
    this.root.classList.add("gpt-explorer");
    keepKeys(this.root);
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
    model.on("change:sentence", () => showState(this));
    model.on("change:step", () => this.changeStep());
    model.on("change:position", () => this.takePosition());
    model.on("change:key", () => this.point());
    model.on("change:projected", () => showNeuron(this));
    model.on("change:neuron", () => this.takeNeuron());
    for (const name of ["heads", "locked"]) {
      model.on(`change:${name}`, () => {
        this.takePanels();
        this.view();
      });
    }
    listenToControls(this);
    listenToHeads(this);
  }

  stepIsHere() {
    const { model } = this;
    return model.get("steps").length === 0 || model.get("stored").includes(model.get("step"));
  }

  // What Python has to answer; pictures: for what is greyed until then, which is all but the neuron view.
  asks(pictures = false) {
    const step = this.stepIsHere() ? [] : ["step"];
    return ["prompt", "temperature", "masked", ...step, ...(pictures ? [] : ["neuron"])];
  }

  // A new prompt, temperature, mask or set of weights: everything is drawn.
  load() {
    const before = this.weights?.tokens.join("\n");
    this.weights = new Weights(this.model);
    const { layers, heads, T, tokens } = this.weights;
    if (this.grid?.layers !== layers || this.grid?.heads !== heads) {
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
    showState(this);
    this.changeStep();
  }

  changeStep() {
    if (this.stepIsHere()) this.place = this.weights.placeOf(this.model.get("step")); // else Python sends it
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
    if (position >= 0) pointAt(this, within(position, this.weights.T), this.s);
    showChosen(this);
  }

  takeNeuron() {
    const [layer, head] = this.model.get("neuron");
    if (layer !== undefined) choose(this, layer, head);
    showNeuron(this);
  }

  // The heads or their locks have changed, here or in Python.
  takePanels() {
    const { layers, heads } = this.weights;
    const wanted = this.model.get("heads");
    const locked = this.model.get("locked");
    const there = (value, many) => (value === "mean" ? value : within(value, many));
    if (this.panels.length !== wanted.length) {
      this.panels = wanted.map(() => this.newPanel());
      this.views.replaceChildren(...this.panels.map((panel) => panel.box));
      this.main.classList.toggle("gpt-explorer-two", this.panels.length > 1);
      this.active = wanted.length - 1;
    }
    this.panels.forEach((panel, i) => {
      panel.layer = there(wanted[i][0], layers);
      panel.head = there(wanted[i][1], heads);
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

  retheme() {
    if (isDark(this.root) === this.table.dark) return;
    putColours(this);
    this.drawThumbnails();
    this.view();
  }

  drawThumbnails() {
    for (const button of this.grid.buttons) {
      const { layer, head } = headOf(button);
      drawThumbnail(button.firstChild, this.weights, this.weights.head(this.place, layer, head), this.table);
    }
  }

  drawPanel(panel) {
    const bytes = this.weights.head(this.place, panel.layer, panel.head);
    drawSquare(panel.square, this.weights, bytes, this.table);
  }

  point() {
    showPoint(this);
  }
}

function render({ model, el }) {
  const root = document.createElement("div");
  el.append(root);
  const explorer = new Explorer(model, root);
  return onTheme(root, () => explorer.retheme());
}

export default { render };
