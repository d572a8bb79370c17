// Pointer and keys: which action of the explorer follows which event.

import { cellAt } from "./canvas.js";
import { savePng, saveSvg } from "./save.js";
import { showChosen } from "./showing.js";

const TYPING_PAUSE = 250; // ms without a key before Python is asked
const SLIDING_PAUSE = 120;
const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

export function within(value, many) {
  return Math.max(0, Math.min(many - 1, value));
}

function debounced(action, pause) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(action, pause);
  };
}

export function listenToControls(explorer) {
  const { prompt, mask, temperature, step, compare, png, svg } = explorer.controls;
  const typed = debounced(() => explorer.ask("prompt", prompt.value), TYPING_PAUSE);
  const warmed = debounced(() => explorer.ask("temperature", Number(temperature.value)), SLIDING_PAUSE);
  prompt.addEventListener("input", typed);
  temperature.addEventListener("input", () => {
    explorer.controls.temperatureSays.textContent = Number(temperature.value).toFixed(1);
    warmed();
  });
  mask.addEventListener("change", () => explorer.ask("masked", mask.checked));
  step.addEventListener("input", () => explorer.stepTo(explorer.model.get("steps")[step.value]));
  compare.addEventListener("change", () => explorer.compareTwo(compare.checked));
  svg.addEventListener("click", () => saveSvg(explorer.svg(), explorer.panels));
  png.addEventListener("click", () => savePng(explorer.svg(), explorer.panels));
  explorer.root.addEventListener("keydown", (event) => unlock(explorer, event));
}

export function listenToHeads(explorer) {
  const of = (event) => event.target.closest(".gpt-explorer-thumbnail");
  const chosen = (button, panel) => panel.layer === +button.dataset.layer && panel.head === +button.dataset.head;
  explorer.heads.addEventListener("pointerover", (event) => {
    const button = of(event);
    if (button && !explorer.panels[explorer.active].locked) explorer.choose(+button.dataset.layer, +button.dataset.head);
  });
  explorer.heads.addEventListener("click", (event) => {
    const [button, panel] = [of(event), explorer.panels[explorer.active]];
    if (!button) return;
    const again = panel.locked && chosen(button, panel);
    explorer.choose(+button.dataset.layer, +button.dataset.head);
    explorer.lock(!again);
  });
  explorer.heads.addEventListener("keydown", (event) => moveHead(explorer, event, of(event)));
}

function moveHead(explorer, event, button) {
  const arrow = ARROWS[event.key];
  if (!arrow || !button) return;
  event.preventDefault();
  const { layers, heads } = explorer.weights;
  const layer = within(+button.dataset.layer + arrow[0], layers);
  const head = within(+button.dataset.head + arrow[1], heads);
  explorer.panels[explorer.active].locked = false;
  explorer.choose(layer, head);
  explorer.keep();
  explorer.grid.buttons[layer * heads + head].focus();
}

export function listenToPanel(explorer, panel) {
  const { strip, stack, title } = panel;
  strip.addEventListener("pointerover", (event) => hover(explorer, event.target.dataset.t));
  strip.addEventListener("click", (event) => toggleToken(explorer, event.target.dataset.t));
  strip.addEventListener("keydown", (event) => moveToken(explorer, event));
  stack.addEventListener("pointermove", (event) => hoverSquare(explorer, event, stack));
  stack.addEventListener("pointerleave", () => explorer.pointAt(explorer.t));
  stack.addEventListener("click", () => toggleToken(explorer, explorer.t));
  title.addEventListener("click", () => clickTitle(explorer, panel));
}

function clickTitle(explorer, panel) {
  const already = explorer.panels[explorer.active] === panel;
  explorer.active = explorer.panels.indexOf(panel);
  if (already) explorer.lock(!panel.locked);
  showChosen(explorer);
}

function hover(explorer, t) {
  if (t !== undefined && explorer.model.get("position") < 0) explorer.pointAt(+t);
}

function hoverSquare(explorer, event, stack) {
  const { left, top, width, height } = stack.getBoundingClientRect();
  const found = cellAt(explorer.weights, (event.clientX - left) / width, (event.clientY - top) / height);
  if (!found) return;
  const held = explorer.model.get("position") >= 0;
  explorer.pointAt(held ? explorer.t : found.t, held && found.t !== explorer.t ? null : found.s);
}

function toggleToken(explorer, t) {
  if (t === undefined) return;
  const held = explorer.model.get("position") === +t;
  explorer.pointAt(+t);
  explorer.hold(held ? -1 : +t);
}

function moveToken(explorer, event) {
  const arrow = ARROWS[event.key];
  const ends = { Home: -explorer.weights.T, End: explorer.weights.T };
  if (arrow || event.key in ends) {
    event.preventDefault();
    const t = within(explorer.t + (arrow ? arrow[0] + arrow[1] : ends[event.key]), explorer.weights.T);
    if (explorer.model.get("position") >= 0) explorer.hold(t);
    explorer.pointAt(t);
  } else if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    toggleToken(explorer, explorer.t);
  }
}

function unlock(explorer, event) {
  if (event.key !== "Escape") return;
  event.stopPropagation();
  explorer.panels.forEach((panel) => (panel.locked = false));
  explorer.keep();
  explorer.hold(-1);
}
