// Rows of numbers: as a strip of coloured cells, and as bars with labels.

import { largestOf, signed } from "./arithmetic.js";
import { maker, within } from "./elements.js";

const FIRST = 3; // numbers of a strip that stand beside it

export const make = maker("gpt-walk");

export function note(words) {
  return make("p", "note", { textContent: words });
}

// Blue above zero, orange below, paler towards it. Beside it stand the first numbers; the pointer and the arrow keys show
// any other.
export function strip(name, values, top = largestOf(values)) {
  const canvas = make("canvas", "cells", { width: values.length, height: 1 });
  const context = canvas.getContext("2d");
  values.forEach((value, i) => {
    const alpha = Math.min(1, Math.abs(value) / top);
    context.fillStyle = value < 0 ? `rgba(213, 94, 0, ${alpha})` : `rgba(0, 114, 178, ${alpha})`;
    context.fillRect(i, 0, 1, 1);
  });
  const first = Array.from(values.slice(0, FIRST), signed).join(" ") + (values.length > FIRST ? " …" : "");
  const says = make("span", "says", { textContent: first });
  let channel = null;
  const look = (at) => {
    channel = at;
    says.textContent = at === null ? first : `channel ${at}: ${signed(values[at])}`;
    canvas.setAttribute("aria-valuenow", at ?? 0);
    canvas.setAttribute("aria-valuetext", at === null ? `first numbers: ${first}` : says.textContent);
  };
  for (const [key, value] of Object.entries({
    ...{ role: "slider", tabindex: 0, "aria-label": `${name}, ${values.length} channels; arrow keys move` },
    ...{ "aria-valuemin": 0, "aria-valuemax": values.length - 1 },
  })) canvas.setAttribute(key, value);
  canvas.addEventListener("pointermove", (event) => {
    const { left, width } = canvas.getBoundingClientRect();
    look(within(Math.floor(((event.clientX - left) / width) * values.length), values.length));
  });
  for (const end of ["pointerleave", "blur"]) canvas.addEventListener(end, () => look(null));
  canvas.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1, Home: -1e9, End: 1e9 }[event.key];
    if (!move) return;
    event.preventDefault();
    look(within((channel ?? -1) + move, values.length));
  });
  look(null);
  return make("div", "strip", {}, [make("span", "name", { textContent: name }), canvas, says]);
}

// Several strips on one scale: [[name, values], …].
export function strips(named) {
  const top = Math.max(...named.map(([, values]) => largestOf(values)));
  return named.map(([name, values]) => strip(name, values, top));
}

// Rows of a label, a number and a bar; a bar to the left is below zero. rows: [label, value, kind].
export function bars(rows, top = null) {
  const finite = rows.map(([, value]) => value).filter(Number.isFinite);
  const full = top ?? largestOf(finite);
  const both = finite.some((value) => value < 0); // zero is in the middle then, else at the left
  return make("div", "bars", { role: "list" }, rows.map(([label, value, kind]) => {
    const fill = make("span", value < 0 ? "fill below" : "fill");
    fill.style.width = `${Number.isFinite(value) ? ((both ? 50 : 100) * Math.abs(value)) / full : 0}%`;
    if (!both) fill.style.left = 0;
    return make("div", kind ? `bar ${kind}` : "bar", { role: "listitem" }, [
      make("span", "label", { textContent: label }),
      make("span", "number", { textContent: signed(value) }),
      make("span", "track", {}, [fill]),
    ]);
  }));
}
