// The numbers of one forward pass, by name, and what attention makes of them.

import { dot, softmax } from "./arithmetic.js";

// get("q", layer, head, t) is a row.
export class Numbers {
  constructor(model) {
    const { buffer, byteOffset, byteLength } = model.get("numbers");
    this.shapes = model.get("shapes");
    this.flat = new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
  }

  get(name, ...place) {
    const [offset, shape] = this.shapes[name];
    let [start, size] = [0, shape.reduce((product, n) => product * n, 1)];
    place.forEach((index, axis) => {
      size /= shape[axis];
      start += index * size;
    });
    return this.flat.subarray(offset + start, offset + start + size);
  }

  size(name, axis) {
    return this.shapes[name][1][axis];
  }

  // The residual stream of position t in front of a block (0), after its attention (1), after its feed-forward (2).
  stream(layer, part, t) {
    return this.get("stream", 2 * layer + part, t);
  }

  // What the first or the second half of a block added to it.
  added(layer, half, t) {
    const before = this.stream(layer, half, t);
    return this.stream(layer, half + 1, t).map((value, i) => value - before[i]);
  }
}

// What attention does for one query, as far as each step has come.
export function attended(numbers, layer, head, t) {
  const q = numbers.get("q", layer, head, t);
  const T = numbers.size("q", 2);
  const scores = Array.from({ length: T }, (_, s) => dot(q, numbers.get("k", layer, head, s)));
  const scaled = scores.map((score) => score / Math.sqrt(q.length));
  const masked = scaled.map((score, s) => (s > t ? -Infinity : score));
  const weights = softmax(masked);
  const out = new Float32Array(q.length);
  weights.forEach((weight, s) => numbers.get("v", layer, head, s).forEach((value, i) => (out[i] += weight * value)));
  return { scores, scaled, masked, weights, out };
}
