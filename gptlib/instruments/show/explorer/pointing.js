// What depends on the query and the key that are shown, and no more, so that it follows the pointer.

import { fillBars } from "./bars.js";
import { placeMarks } from "./canvas.js";
import { keyShown } from "./choosing.js";
import { showNeuron } from "./neuron.js";
import { largest } from "./weights.js";
import { numberOf, spokenKey, spokenNext, spokenRow, weightOf } from "./words.js";

export function showPoint(explorer) {
  const { weights, t, place } = explorer;
  const key = keyShown(explorer);
  for (const panel of explorer.panels) pointPanel(explorer, panel, key);
  const next = weights.next(place, t);
  const entries = next.map(([label, chance]) => [label, chance, numberOf(chance)]);
  fillBars(explorer.next, `after position ${t} ${weights.tokens[t]} comes`, entries);
  const neuron = showNeuron(explorer);
  const rows = explorer.panels.map((panel) => {
    const row = weights.row(place, panel.layer, panel.head, t);
    return spokenRow(weights, t, panel, largest(row, 3)) + spokenKey(weights, row, key);
  });
  explorer.voice.textContent = [...rows, ...(neuron ? [neuron] : []), spokenNext(next)].join("; ");
}

function pointPanel(explorer, panel, key) {
  const { weights, t } = explorer;
  const row = weights.row(explorer.place, panel.layer, panel.head, t);
  panel.spans.forEach((span, s) => colourToken(explorer, span, s, row, key));
  placeMarks(panel.marks, weights, t, key);
  const top = largest(row, panel.attended.rows.length);
  const entries = top.map(([s, byte]) => [`${String(s).padStart(3)} ${weights.tokens[s]}`, byte / 255, weightOf(byte)]);
  fillBars(panel.attended, `position ${t} ${weights.tokens[t]} attends to`, entries, others(explorer, row, top, key));
}

// The rest is what the largest leave of 1: the many small ones, each rounded, would add up less well.
function others(explorer, row, top, key) {
  if (key !== null && key < row.length) {
    const where = explorer.s === null ? "locked key" : "under the pointer";
    return `${where}: position ${key} ${explorer.weights.tokens[key]} ${weightOf(row[key])}`;
  }
  const left = row.length - top.length;
  const rest = 255 - top.reduce((total, [, byte]) => total + byte, 0);
  return left > 0 ? `${left} more together ${weightOf(rest)}` : "";
}

function colourToken(explorer, span, s, row, key) {
  const masked = s >= row.length;
  const colour = masked ? "" : explorer.table.css[row[s]];
  if (span.colour !== colour) {
    span.colour = colour;
    span.style.backgroundColor = colour;
    span.style.color = masked ? "" : explorer.table.inks[row[s]];
  }
  const kind = (masked ? " masked" : "") + (s === explorer.t ? " asked" : s === key ? " key" : "");
  if (span.kind !== kind) {
    span.kind = kind;
    span.className = "gpt-explorer-token" + kind.replaceAll(" ", " gpt-explorer-");
  }
}
