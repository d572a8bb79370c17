// What the reader chooses: heads, locks, and which query and key are shown.

import { within } from "./elements.js";
import { showChosen } from "./showing.js";
import { largest } from "./weights.js";

// Show a head in the active panel for as long as the pointer is on it; locking keeps it.
export function choose(explorer, layer, head) {
  const panel = explorer.panels[explorer.active];
  if (panel.layer === layer && panel.head === head) return;
  Object.assign(panel, { layer, head });
  explorer.drawPanel(panel);
  showChosen(explorer);
  explorer.point();
}

export function lock(explorer, locked) {
  explorer.panels[explorer.active].locked = locked;
  keep(explorer);
}

export function keep(explorer, panels = explorer.panels) {
  const heads = panels.map(({ layer, head }) => [layer, head]);
  const locked = panels.map((panel) => panel.locked); // both before the first set, which calls takePanels
  explorer.model.set("heads", heads);
  explorer.model.set("locked", locked);
  explorer.model.save_changes();
}

export function compareTwo(explorer, two) {
  const [first] = explorer.panels;
  const head = first.head === "mean" ? 0 : (first.head + 1) % explorer.weights.heads;
  const other = { layer: first.layer === "mean" ? 0 : first.layer, head, locked: false };
  keep(explorer, two ? [first, other] : [first]);
}

// Lock query t and key s; -1 for none.
export function hold(explorer, t, s = -1) {
  explorer.model.set("position", t);
  explorer.model.set("key", s);
  explorer.model.save_changes();
}

export function pointAt(explorer, t, s = null) {
  if (t === explorer.t && s === explorer.s) return;
  explorer.t = t;
  explorer.s = s;
  explorer.point();
}

// The key under the pointer, else the locked one; null if there is neither.
export function keyShown(explorer) {
  const key = explorer.model.get("key");
  return explorer.s ?? (key >= 0 ? within(key, explorer.weights.T) : null);
}

// That, else the one that the query attends to most.
export function keyOrLargest(explorer, row) {
  return keyShown(explorer) ?? largest(row, 1)[0]?.[0] ?? explorer.t;
}
