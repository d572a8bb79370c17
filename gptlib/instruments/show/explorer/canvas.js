// Heads as squares: small ones for the overview, a large one to point at.

const THUMBNAIL = 64; // pixels along a side, at most
export const SIDE = 840; // pixels of the large square with its labels; the page shows it at half of that or less
const ROOM_FOR_LABELS = 48; // tokens up to which every row has its label

// The weights of one head, thinned to `side` rows and columns; a pixel keeps the largest weight that falls into it, so
// that a thin line stays visible. 32-bit pixels; where nothing falls, under the mask, they stay transparent.
export function thinned(weights, bytes, side, table) {
  const { T, causal } = weights;
  const levels = new Uint8Array(side * side);
  const place = Uint16Array.from({ length: T }, (_, t) => Math.floor((t * side) / T));
  let next = 0;
  for (let t = 0; t < T; t++) {
    const start = place[t] * side;
    const end = causal ? t + 1 : T;
    for (let s = 0; s < end; s++, next++) {
      const cell = start + place[s];
      if (bytes[next] > levels[cell]) levels[cell] = bytes[next];
    }
  }
  return coloured(levels, side, causal, table);
}

function coloured(levels, side, causal, table) {
  const image = new ImageData(side, side);
  const pixels = new Uint32Array(image.data.buffer);
  for (let row = 0; row < side; row++) {
    const end = causal ? row + 1 : side;
    for (let cell = row * side, last = cell + end; cell < last; cell++) {
      pixels[cell] = table.pixels[levels[cell]];
    }
  }
  return image;
}

export function drawThumbnail(canvas, weights, bytes, table) {
  const side = Math.min(weights.T, THUMBNAIL);
  if (canvas.width !== side) canvas.width = canvas.height = side;
  canvas.style.imageRendering = side <= 32 ? "pixelated" : "auto"; // few tokens as squares, many smoothed
  canvas.getContext("2d").putImageData(thinned(weights, bytes, side, table), 0, 0);
}

// Where the squares of the large picture lie: the labels take the margin on the left and on top.
export function layoutOf(weights) {
  const longest = Math.min(8, Math.max(...weights.tokens.map((token) => token.length)));
  const labelled = weights.T <= ROOM_FOR_LABELS;
  const guess = Math.min(26, (SIDE - 60) / weights.T);
  const font = labelled ? Math.max(13, Math.floor(guess * 0.9)) : 20;
  const margin = labelled ? Math.ceil(font * (longest > 1 ? longest * 0.62 : 1) + 14) : 44;
  return { margin, font, labelled, turned: labelled && longest > 1, cell: (SIDE - margin - 2) / weights.T };
}

export function drawSquare(canvas, weights, bytes, table) {
  const { T } = weights;
  const layout = layoutOf(weights);
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, SIDE, SIDE);
  drawHatch(context, layout, T, table);
  const small = document.createElement("canvas");
  small.width = small.height = T;
  small.getContext("2d").putImageData(thinned(weights, bytes, T, table), 0, 0);
  context.imageSmoothingEnabled = false;
  const size = layout.cell * T;
  context.drawImage(small, layout.margin, layout.margin, size, size);
  drawLabels(context, weights, layout, table);
}

// Stripes over the whole square; the weights are then drawn over them, and what they leave free is masked.
function drawHatch(context, { margin, cell }, T, table) {
  const size = cell * T;
  context.save();
  context.beginPath();
  context.rect(margin, margin, size, size);
  context.clip();
  context.strokeStyle = table.hatch;
  context.lineWidth = 1.5;
  context.beginPath();
  for (let x = -size; x < size; x += 14) {
    context.moveTo(margin + x, margin + size);
    context.lineTo(margin + x + size, margin);
  }
  context.stroke();
  context.restore();
}

function drawLabels(context, weights, layout, table) {
  context.fillStyle = table.ink;
  context.font = `${layout.font}px monospace`;
  context.textBaseline = "middle";
  const every = layout.labelled ? 1 : 32;
  for (let t = 0; t < weights.T; t += every) {
    drawLabel(context, layout.labelled ? weights.tokens[t].slice(0, 8) : String(t), t, layout);
  }
}

function drawLabel(context, text, t, { margin, cell, turned }) {
  const middle = margin + (t + 0.5) * cell;
  context.textAlign = "right";
  context.fillText(text, margin - 6, middle);
  context.save();
  if (turned) {
    context.translate(middle, margin - 6);
    context.rotate(-Math.PI / 2);
  } else {
    context.translate(middle, margin / 2);
  }
  context.textAlign = turned ? "left" : "center";
  context.fillText(text, 0, 0);
  context.restore();
}

// A frame around row t, and one around the single weight under the pointer. They lie over the canvas as elements of their
// own, so that they follow the pointer while the squares stay as they are.
export function placeMarks({ row, cell }, weights, t, s) {
  const layout = layoutOf(weights);
  placeMark(row, layout, t, 0, weights.seen(t));
  cell.hidden = s === null || s >= weights.seen(t);
  if (!cell.hidden) placeMark(cell, layout, t, s, 1);
}

function placeMark(mark, { margin, cell }, t, s, many) {
  const share = (pixels) => `${(100 * pixels) / SIDE}%`;
  mark.style.left = share(margin + s * cell);
  mark.style.top = share(margin + t * cell);
  mark.style.width = share(many * cell);
  mark.style.height = share(cell);
}

// The row and the column of the square under a point, given as shares of the canvas; null outside.
export function cellAt(weights, x, y) {
  const { margin, cell } = layoutOf(weights);
  const [s, t] = [x, y].map((share) => Math.floor((share * SIDE - margin) / cell));
  return t >= 0 && t < weights.T && s >= 0 && s < weights.T ? { t, s } : null;
}
