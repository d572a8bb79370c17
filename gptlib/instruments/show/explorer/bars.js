// A heading and rows of name, number and bar.

import { make } from "./parts.js";

export function makeBars(many) {
  const heading = make("p", "heading");
  const rows = Array.from({ length: many }, () => {
    const [name, fill, number] = ["name", "fill", "number"].map((part) => make("span", part));
    const row = make("div", "bar", {}, [name, number, make("span", "track", {}, [fill])]);
    return { row, name, fill, number };
  });
  const rest = make("p", "rest");
  const box = make("div", "bars", { "aria-hidden": "true" }, [heading, ...rows.map(({ row }) => row), rest]);
  box.style.setProperty("--rows", many);
  return { box, heading, rows, rest };
}

// entries: [name, share of 1, number in words]; rows that are left over are hidden.
export function fillBars(bars, heading, entries, rest = "") {
  write(bars.heading, heading);
  write(bars.rest, rest);
  bars.rows.forEach(({ row, name, fill, number }, i) => {
    const [words, share, value] = entries[i] ?? ["", 0, ""];
    row.hidden = !entries[i];
    write(name, words);
    fill.style.transform = `scaleX(${share})`;
    write(number, value);
  });
}

// New text only where it is new: the browser lays out again what is written, also the same words.
export function write(element, words) {
  if (element.textContent !== words) element.textContent = words;
}
