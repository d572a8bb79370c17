// Words, locks and controls: what the parts say about the present state.

import { headOf } from "./grid.js";
import { nameOf, titleOf } from "./words.js";

const NEEDS_PYTHON = "To change the prompt, the mask or the temperature, open the notebook: python run.py lab";
const HEAD_KEYS = "arrow keys move, Enter locks, Escape unlocks";
const TOKEN_KEYS = "arrow keys move the query, with Shift the key, Enter locks, Escape unlocks";

function showTitle(explorer, panel, i) {
  const several = explorer.panels.length > 1;
  panel.title.textContent = `${titleOf(panel)}${panel.locked ? " · locked" : ""}`;
  panel.title.setAttribute("aria-pressed", String(panel.locked));
  panel.title.setAttribute("aria-label", `${nameOf(panel)}, ${panel.locked ? "locked" : "not locked"}`);
  panel.box.classList.toggle("gpt-explorer-active", several && i === explorer.active);
  panel.strip.setAttribute("aria-label", `tokens, ${nameOf(panel)}; ${TOKEN_KEYS}`);
  panel.strip.classList.toggle("gpt-explorer-held", explorer.model.get("position") >= 0);
  panel.axes.textContent = `rows: queries, columns: keys${explorer.weights.causal ? "; striped: masked" : ""}`;
}

export function showControls(explorer) {
  const { model, controls } = explorer;
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

export function showStep(explorer) {
  const { model, controls } = explorer;
  const steps = model.get("steps");
  controls.steps.hidden = steps.length < 2;
  controls.step.max = Math.max(0, steps.length - 1);
  controls.step.value = Math.max(0, steps.indexOf(model.get("step")));
  controls.step.disabled = !model.get("live") && model.get("stored").length < steps.length;
  controls.stepSays.textContent = model.get("step");
  controls.step.setAttribute("aria-valuetext", `step ${model.get("step")}`);
}

// What is wrong, and whether the picture belongs to what is asked for.
export function showState(explorer) {
  const { controls, main, waiting } = explorer;
  const words = waiting.words();
  if (controls.sentence.textContent !== words) controls.sentence.textContent = words;
  const stale = waiting.stale(explorer.asks(true), controls.prompt.value);
  main.classList.toggle("gpt-explorer-stale", stale);
  main.setAttribute("aria-busy", String(stale));
}

export function showChosen(explorer) {
  const now = explorer.panels[explorer.active];
  for (const button of explorer.grid.buttons) {
    const { layer, head } = headOf(button);
    const shown = explorer.panels.findIndex((panel) => panel.layer === layer && panel.head === head);
    const locked = shown >= 0 && explorer.panels[shown].locked;
    button.tabIndex = now.layer === layer && now.head === head ? 0 : -1;
    button.classList.toggle("gpt-explorer-shown", shown >= 0);
    button.setAttribute("aria-pressed", String(locked));
    button.setAttribute("aria-label", `${nameOf({ layer, head })}${locked ? ", locked" : ""}; ${HEAD_KEYS}`);
  }
  explorer.panels.forEach((panel, i) => showTitle(explorer, panel, i));
}
