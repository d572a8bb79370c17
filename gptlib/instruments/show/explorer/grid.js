// All heads as small pictures: a layer a row, a head a column, and last the mean over the heads of a layer.

import { make } from "./parts.js";
import { within } from "./elements.js";

// A button for every head, then one for every mean; the arrow keys move among them, so only one is a stop of the Tab key.
export function makeGrid(layers, heads) {
  const box = make("div", "grid", { role: "group", "aria-label": "all heads, a layer a row" });
  const means = heads > 1; // one head is its own mean
  const columns = heads + (means ? 1 : 0);
  box.style.gridTemplateColumns = `auto repeat(${columns}, minmax(0, 4.6em))`;
  const buttons = [];
  const put = (element, row, column) => {
    element.style.gridArea = `${row + 2} / ${column + 2}`;
    box.append(element);
  };
  const add = (layer, head) => {
    const button = make("button", "thumbnail", { type: "button" }, [document.createElement("canvas")]);
    Object.assign(button.dataset, { layer, head });
    buttons.push(button);
    put(button, layer === "mean" ? layers : layer, head === "mean" ? heads : head);
  };
  put(axis("layer"), -1, -1);
  for (let head = 0; head < heads; head++) put(axis(head === 0 ? "head 1" : head + 1), -1, head);
  for (let layer = 0; layer < layers; layer++) {
    put(axis(layer + 1), layer, -1);
    for (let head = 0; head < heads; head++) add(layer, head);
  }
  if (means) {
    put(axis("mean"), -1, heads);
    for (let layer = 0; layer < layers; layer++) add(layer, "mean");
    const all = axis("mean of all heads");
    all.classList.add("gpt-explorer-all");
    put(all, layers, 0);
    all.style.gridColumnEnd = heads + 2;
    add("mean", "mean");
  }
  return { box, buttons, layers, heads };
}

function axis(words) {
  return make("span", "axis", { textContent: words, "aria-hidden": "true" });
}

// Which head a button stands for: numbers, or "mean".
export function headOf({ dataset }) {
  const read = (text) => (text === "mean" ? text : Number(text));
  return { layer: read(dataset.layer), head: read(dataset.head) };
}

// The button that an arrow key leads to; below the last layer only the mean of all is a place.
export function neighbour(grid, button, [down, right]) {
  const { layers, heads, buttons } = grid;
  const { layer, head } = headOf(button);
  const column = within((head === "mean" ? heads : head) + right, heads > 1 ? heads + 1 : heads);
  const row = within((layer === "mean" ? layers : layer) + down, column === heads ? layers + 1 : layers);
  if (column < heads) return buttons[row * heads + column];
  return buttons[layers * heads + row];
}
