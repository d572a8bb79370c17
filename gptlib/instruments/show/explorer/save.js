// The large pictures as an SVG, one path a colour, and as a PNG of that SVG. Always in light colours, for paper.

import { colourTable } from "./colours.js";
import { SIDE, layoutOf } from "./canvas.js";
import { largest } from "./weights.js";
import { titleOf, weightOf } from "./words.js";

const TITLE = 60; // room above the square
const BELOW = 70; // and below it

function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function text(x, y, words, options = "") {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${options}>${escaped(words)}</text>`;
}

function squares(weights, bytes, { margin, cell }, table) {
  const paths = Array.from({ length: 256 }, () => []);
  const size = cell.toFixed(2);
  let next = 0;
  for (let t = 0; t < weights.T; t++) {
    for (let s = 0; s < weights.seen(t); s++, next++) {
      const [x, y] = [margin + s * cell, TITLE + margin + t * cell].map((at) => at.toFixed(1));
      paths[bytes[next]].push(`M${x} ${y}h${size}v${size}h-${size}z`);
    }
  }
  return paths
    .map((path, byte) => (path.length ? `<path fill="${table.css[byte]}" d="${path.join("")}"/>` : ""))
    .join("");
}

function labels(weights, layout) {
  if (!layout.labelled) return "";
  const { margin, cell, font, turned } = layout;
  const all = weights.tokens.map((token, t) => {
    const [words, at] = [token.slice(0, 8), margin + (t + 0.5) * cell];
    const left = text(margin - 6, TITLE + at + font / 3, words, 'text-anchor="end"');
    const [x, y] = [at + (turned ? font / 3 : 0), TITLE + margin - 8];
    const turn = turned ? `transform="rotate(-90 ${x} ${y})"` : 'text-anchor="middle"';
    return left + text(x, y, words, turn);
  });
  return `<g font-size="${font}">${all.join("")}</g>`;
}

function caption(weights, row, t) {
  const attended = largest(row, 3).map(([s, byte]) => `${s} ${weights.tokens[s]} ${weightOf(byte)}`);
  return `position ${t} ${weights.tokens[t]} attends to ${attended.join(" · ")}`;
}

function panelSvg(weights, place, panel, t, table) {
  const { layer, head } = panel;
  const bytes = weights.head(place, layer, head);
  const layout = layoutOf(weights);
  const [x, y] = [layout.margin, TITLE + layout.margin + t * layout.cell];
  const width = weights.seen(t) * layout.cell;
  const frame = `<rect x="${x}" y="${y}" width="${width}" height="${layout.cell}" fill="none" stroke="${table.mark}" stroke-width="3"/>`;
  return [
    text(layout.margin, 36, titleOf(panel), 'font-size="26"'),
    squares(weights, bytes, layout, table),
    labels(weights, layout),
    frame,
    text(layout.margin, TITLE + SIDE + 34, caption(weights, weights.row(place, layer, head, t), t), 'font-size="20"'),
  ].join("");
}

export function svgOf(weights, place, panels, t) {
  const table = colourTable(false);
  const [width, height] = [panels.length * (SIDE + 20), TITLE + SIDE + BELOW];
  const drawn = panels.map(
    (panel, i) => `<g transform="translate(${i * (SIDE + 20)} 0)">${panelSvg(weights, place, panel, t, table)}</g>`,
  );
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ` +
    `font-family="monospace" fill="#222222"><rect width="100%" height="100%" fill="#ffffff"/>${drawn.join("")}</svg>`
  );
}

function hand(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function fileName(panels, ending) {
  return `attention_${panels.map((panel) => titleOf(panel).replace(/ · /g, "_").replaceAll(" ", "")).join("_")}.${ending}`;
}

export function saveSvg(svg, panels) {
  hand(new Blob([svg], { type: "image/svg+xml" }), fileName(panels, "svg"));
}

export async function savePng(svg, panels) {
  const image = new Image();
  image.src = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  canvas.getContext("2d").drawImage(image, 0, 0);
  URL.revokeObjectURL(image.src);
  canvas.toBlob((blob) => hand(blob, fileName(panels, "png")), "image/png");
}
