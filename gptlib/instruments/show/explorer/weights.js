// The stored state, read as numbers: explorer/packing.py writes what is read here.

export const TOP = 8;

// Bytes come as DataView from Jupyter, and may come as ArrayBuffer or Uint8Array from a static page.
export function bytesOf(value) {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) {
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }
  return new Uint8Array(0);
}

// A copy starts at 0, and so it can be read as wider numbers whatever place it had before.
export function copied(value) {
  return bytesOf(value).slice().buffer;
}

export class Weights {
  constructor(model) {
    const { layers, heads, tokens, causal } = model.get("sizes");
    Object.assign(this, { layers, heads, T: tokens, causal });
    this.tokens = model.get("tokens");
    this.stored = model.get("stored");
    this.bytes = bytesOf(model.get("weights"));
    this.labels = model.get("next_labels");
    this.ids = new Uint16Array(copied(model.get("next_ids")));
    this.chances = new Float32Array(copied(model.get("next_chances")));
    this.each = causal ? (tokens * (tokens + 1)) / 2 : tokens * tokens;
    this.means = new Map();
  }

  // The place of a step among the stored ones; a model without steps is stored once.
  placeOf(step) {
    return Math.max(0, this.stored.indexOf(step));
  }

  // All rows of one head, one after the other: of row t only t + 1 weights where the future is masked.
  // head, and layer too, may be "mean".
  head(place, layer, head) {
    if (head === "mean") return this.mean(place, layer);
    const start = ((place * this.layers + layer) * this.heads + head) * this.each;
    return this.bytes.subarray(start, start + this.each);
  }

  // The mean over the heads of a layer, or over all; added up at the first call.
  mean(place, layer) {
    const name = `${place} ${layer}`;
    if (!this.means.has(name)) this.means.set(name, this.averaged(place, layer));
    return this.means.get(name);
  }

  averaged(place, layer) {
    const [first, many] = layer === "mean" ? [0, this.layers * this.heads] : [layer * this.heads, this.heads];
    const total = new Uint32Array(this.each);
    for (let i = first; i < first + many; i++) {
      const bytes = this.head(place, 0, i); // counted on from the first layer's
      for (let cell = 0; cell < total.length; cell++) total[cell] += bytes[cell];
    }
    return Uint8Array.from(total, (sum) => Math.round(sum / many));
  }

  // What position t takes from each position that it may see.
  row(place, layer, head, t) {
    const start = this.causal ? (t * (t + 1)) / 2 : t * this.T;
    return this.head(place, layer, head).subarray(start, start + this.seen(t));
  }

  seen(t) {
    return this.causal ? t + 1 : this.T;
  }

  // The likeliest next tokens after position t, as [label, chance].
  next(place, t) {
    const many = this.ids.length / (this.stored.length * this.T);
    const start = (place * this.T + t) * many;
    return Array.from({ length: many }, (_, i) => [
      this.labels[this.ids[start + i]],
      this.chances[start + i],
    ]);
  }
}

// The largest weights of a row as [position, byte], largest first.
export function largest(row, many) {
  const found = Array.from(row, (byte, s) => [s, byte]).filter(([, byte]) => byte > 0);
  return found.sort((a, b) => b[1] - a[1] || b[0] - a[0]).slice(0, many);
}
