// What attention does to numbers, and how numbers are written.

export function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

// Of scores, some of them −Infinity: weights that add to one.
export function softmax(scores) {
  const top = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - top));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

export function largestOf(values) {
  return Math.max(1e-9, ...Array.from(values, Math.abs));
}

// Two decimals and a real minus sign.
export function signed(value) {
  if (value === -Infinity) return "−∞";
  const text = value.toFixed(Math.abs(value) >= 100 ? 0 : 2);
  return text.replace(/^-(?=.*[1-9])/, "−").replace(/^-/, "");
}
