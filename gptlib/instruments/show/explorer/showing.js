// Words, locks and controls: what the parts say about the present state.

import { nameOf, weightOf } from "./words.js";

const NEEDS_PYTHON = "To change the prompt, the mask or the temperature, open the notebook: python run.py lab";
const KEYS = "arrow keys move, Enter locks, Escape unlocks";

// The rest is what the largest leave of 1: the many small ones, each rounded, would add up less well.
export function others(explorer, row, top) {
  if (explorer.s !== null && explorer.s < row.length) {
    const token = explorer.weights.tokens[explorer.s];
    return `under the pointer: position ${explorer.s} ${token} ${weightOf(row[explorer.s])}`;
  }
  const left = row.length - top.length;
  const rest = 255 - top.reduce((total, [, byte]) => total + byte, 0);
  return left > 0 ? `${left} more together ${weightOf(rest)}` : "";
}

export function colourToken(explorer, span, s, row) {
  const masked = s >= row.length;
  const colour = masked ? "" : explorer.table.css[row[s]];
  if (span.colour !== colour) {
    span.colour = colour;
    span.style.backgroundColor = colour;
    span.style.color = masked ? "" : explorer.table.inks[row[s]];
  }
  const kind = (masked ? " masked" : "") + (s === explorer.t ? " asked" : "");
  if (span.kind !== kind) {
    span.kind = kind;
    span.className = "gpt-explorer-token" + kind.replaceAll(" ", " gpt-explorer-");
  }
}

function showTitle(explorer, panel, i) {
  const several = explorer.panels.length > 1;
  panel.title.textContent = `layer ${panel.layer + 1} · head ${panel.head + 1}${panel.locked ? " · locked" : ""}`;
  panel.title.setAttribute("aria-pressed", String(panel.locked));
  panel.title.setAttribute("aria-label", `${nameOf(panel)}, ${panel.locked ? "locked" : "not locked"}`);
  panel.box.classList.toggle("gpt-explorer-active", several && i === explorer.active);
  panel.strip.setAttribute("aria-label", `tokens, ${nameOf(panel)}; ${KEYS}`);
  panel.strip.classList.toggle("gpt-explorer-held", explorer.model.get("position") >= 0);
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

export function showSentence(explorer) {
  explorer.controls.sentence.textContent = explorer.model.get("sentence");
}

export function showChosen(explorer) {
  const now = explorer.panels[explorer.active];
  for (const button of explorer.grid.buttons) {
    const [layer, head] = [+button.dataset.layer, +button.dataset.head];
    const shown = explorer.panels.findIndex((panel) => panel.layer === layer && panel.head === head);
    const locked = shown >= 0 && explorer.panels[shown].locked;
    button.tabIndex = now.layer === layer && now.head === head ? 0 : -1;
    button.classList.toggle("gpt-explorer-shown", shown >= 0);
    button.setAttribute("aria-pressed", String(locked));
    button.setAttribute("aria-label", `${nameOf({ layer, head })}${locked ? ", locked" : ""}; ${KEYS}`);
  }
  explorer.panels.forEach((panel, i) => showTitle(explorer, panel, i));
}
