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
function copied(value) {
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
  }

  // The place of a step among the stored ones; a model without steps is stored once.
  placeOf(step) {
    return Math.max(0, this.stored.indexOf(step));
  }

  // All rows of one head, one after the other: of row t only t + 1 weights where the future is masked.
  head(place, layer, head) {
    const start = ((place * this.layers + layer) * this.heads + head) * this.each;
    return this.bytes.subarray(start, start + this.each);
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
