// Pointer and keys: which action of the explorer follows which event.

import { cellAt } from "./canvas.js";
import { choose, compareTwo, hold, keep, keyOrLargest, lock, pointAt } from "./choosing.js";
import { debounced, within } from "./elements.js";
import { headOf, neighbour } from "./grid.js";
import { openNeuron } from "./neuron.js";
import { savePng, saveSvg, svgOf } from "./save.js";
import { showChosen, showState } from "./showing.js";

const TYPING_PAUSE = 250; // ms without a key before Python is asked
const SLIDING_PAUSE = 120;
const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

export function listenToControls(explorer) {
  const { waiting, model } = explorer;
  const { prompt, mask, temperature, step, compare, neuron, png, svg } = explorer.controls;
  const typed = debounced(() => waiting.ask("prompt", prompt.value), TYPING_PAUSE);
  const warmed = debounced(() => waiting.ask("temperature", Number(temperature.value)), SLIDING_PAUSE);
  const drawing = () => svgOf(explorer.weights, explorer.place, explorer.panels, explorer.t);
  prompt.addEventListener("input", () => {
    showState(explorer);
    typed();
  });
  temperature.addEventListener("input", () => {
    explorer.controls.temperatureSays.textContent = Number(temperature.value).toFixed(1);
    warmed();
  });
  mask.addEventListener("change", () => waiting.ask("masked", mask.checked));
  step.addEventListener("input", () => waiting.ask("step", model.get("steps")[step.value]));
  compare.addEventListener("change", () => compareTwo(explorer, compare.checked));
  neuron.addEventListener("change", () => openNeuron(explorer, neuron.checked));
  svg.addEventListener("click", () => saveSvg(drawing(), explorer.panels));
  png.addEventListener("click", () => savePng(drawing(), explorer.panels));
  explorer.root.addEventListener("keydown", (event) => unlock(explorer, event));
}

export function listenToHeads(explorer) {
  const of = (event) => event.target.closest(".gpt-explorer-thumbnail");
  const chooseIts = (button) => choose(explorer, headOf(button).layer, headOf(button).head);
  explorer.heads.addEventListener("pointerover", (event) => {
    if (of(event) && !explorer.panels[explorer.active].locked) chooseIts(of(event));
  });
  explorer.heads.addEventListener("click", (event) => {
    const [button, panel] = [of(event), explorer.panels[explorer.active]];
    if (!button) return;
    const { layer, head } = headOf(button);
    const again = panel.locked && panel.layer === layer && panel.head === head;
    chooseIts(button);
    lock(explorer, !again);
  });
  explorer.heads.addEventListener("keydown", (event) => {
    const arrow = ARROWS[event.key];
    if (!arrow || !of(event)) return;
    event.preventDefault();
    const button = neighbour(explorer.grid, of(event), arrow);
    button.focus();
    if (explorer.panels[explorer.active].locked) return; // as for the pointer, until Escape, or Enter on another head
    chooseIts(button);
    keep(explorer);
  });
}

export function listenToPanel(explorer, panel) {
  const { strip, stack, title } = panel;
  strip.addEventListener("pointerover", (event) => hover(explorer, event.target.dataset.t));
  strip.addEventListener("pointerleave", () => pointAt(explorer, explorer.t));
  strip.addEventListener("click", (event) => toggleToken(explorer, event.target.dataset.t));
  strip.addEventListener("keydown", (event) => moveToken(explorer, event));
  stack.addEventListener("pointermove", (event) => hoverSquare(explorer, event, stack));
  stack.addEventListener("pointerleave", () => pointAt(explorer, explorer.t));
  stack.addEventListener("click", () => toggleToken(explorer, explorer.t, explorer.s ?? -1));
  title.addEventListener("click", () => clickTitle(explorer, panel));
}

function clickTitle(explorer, panel) {
  const already = explorer.panels[explorer.active] === panel;
  explorer.active = explorer.panels.indexOf(panel);
  if (already) lock(explorer, !panel.locked);
  showChosen(explorer);
  explorer.point();
}

// Over the tokens the pointer chooses the query; once that is locked, the key.
function hover(explorer, t) {
  if (t === undefined) return;
  if (explorer.model.get("position") < 0) pointAt(explorer, +t);
  else pointAt(explorer, explorer.t, +t);
}

function hoverSquare(explorer, event, stack) {
  const { left, top, width, height } = stack.getBoundingClientRect();
  const found = cellAt(explorer.weights, (event.clientX - left) / width, (event.clientY - top) / height);
  if (!found) return;
  const held = explorer.model.get("position") >= 0;
  pointAt(explorer, held ? explorer.t : found.t, held && found.t !== explorer.t ? null : found.s);
}

function toggleToken(explorer, t, s = -1) {
  if (t === undefined) return;
  const { model } = explorer;
  const again = model.get("position") === +t && (s < 0 || model.get("key") === s);
  pointAt(explorer, +t);
  hold(explorer, again ? -1 : +t, again ? -1 : s);
}

function moveToken(explorer, event) {
  const arrow = ARROWS[event.key];
  const { T } = explorer.weights;
  const ends = { Home: -T, End: T };
  const held = explorer.model.get("position") >= 0;
  if (arrow || event.key in ends) {
    event.preventDefault();
    const by = arrow ? arrow[0] + arrow[1] : ends[event.key];
    if (event.shiftKey) return moveKey(explorer, by);
    const t = within(explorer.t + by, T);
    if (held) hold(explorer, t, explorer.model.get("key"));
    pointAt(explorer, t);
  } else if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    toggleToken(explorer, explorer.t);
  }
}

function moveKey(explorer, by) {
  const { layer, head } = explorer.panels[explorer.active];
  const row = explorer.weights.row(explorer.place, layer, head, explorer.t);
  const key = within(keyOrLargest(explorer, row) + by, explorer.weights.T);
  explorer.s = null; // the keys take over from the pointer
  hold(explorer, explorer.model.get("position"), key);
}

function unlock(explorer, event) {
  if (event.key !== "Escape") return;
  event.stopPropagation();
  explorer.panels.forEach((panel) => (panel.locked = false));
  keep(explorer);
  hold(explorer, -1);
}
