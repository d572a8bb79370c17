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
  return `layer ${layer + 1} head ${head + 1}`;
}

export function spokenRow(weights, t, panel, top) {
  const attended = top.map(
    ([s, byte]) => `position ${s} ${spokenToken(weights.tokens[s])} ${weightOf(byte)}`,
  );
  return `position ${t} ${spokenToken(weights.tokens[t])}, ${nameOf(panel)}, attends to ${attended.join(", ")}`;
}

export function spokenNext(next) {
  const [label, chance] = next[0];
  return `likeliest next ${spokenToken(label)} ${numberOf(chance)}`;
}
