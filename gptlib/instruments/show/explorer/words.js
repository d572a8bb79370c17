// Numbers and tokens in words, for the eye and for the ear.

const SPOKEN = { "␣": "space", "↵": "line break", "⇥": "tab" };

// Two decimals; what is below 0.01 is not written as 0.00, for no weight that is not masked is zero.
export function numberOf(weight) {
  return weight < 0.01 ? "below 0.01" : weight.toFixed(2);
}

export function weightOf(byte) {
  return numberOf(byte / 255);
}

export function spokenToken(label) {
  return SPOKEN[label] ?? `'${label}'`;
}

export function nameOf({ layer, head }) {
  if (layer === "mean") return "mean of all heads";
  return head === "mean" ? `layer ${layer + 1}, mean of its heads` : `layer ${layer + 1} head ${head + 1}`;
}

// The same for a title and a file.
export function titleOf(panel) {
  return panel.head === "mean" ? nameOf(panel).replace(", ", " · ") : nameOf(panel).replace(" head", " · head");
}

export function spokenRow(weights, t, panel, top) {
  const attended = top.map(
    ([s, byte]) => `position ${s} ${spokenToken(weights.tokens[s])} ${weightOf(byte)}`,
  );
  return `position ${t} ${spokenToken(weights.tokens[t])}, ${nameOf(panel)}, attends to ${attended.join(", ")}`;
}

// The key that the reader has chosen, if one.
export function spokenKey(weights, row, s) {
  if (s === null) return "";
  const weight = s < row.length ? `weight ${weightOf(row[s])}` : "masked";
  return `; key position ${s} ${spokenToken(weights.tokens[s])}, ${weight}`;
}

export function spokenNext(next) {
  const [label, chance] = next[0];
  return `likeliest next ${spokenToken(label)} ${numberOf(chance)}`;
}
