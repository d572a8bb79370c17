// One hue from pale to strong, so that it reads without colour vision. A weight of 0 is the palest step and still a
// colour; a masked cell has no colour at all, it is hatched.

const LIGHT_STEPS = ["#eef3fa", "#c9dcf0", "#8dbbe0", "#4a90c8", "#1c62a8", "#08306b"];
const DARK_STEPS = ["#202c3a", "#24496b", "#2a6fa3", "#4f9fd6", "#9fd0f2", "#f2faff"];

function channels(hex) {
  return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
}

function between(stops, share) {
  const place = share * (stops.length - 1);
  const left = Math.min(Math.floor(place), stops.length - 2);
  const [a, b] = [channels(stops[left]), channels(stops[left + 1])];
  return a.map((value, i) => Math.round(value + (b[i] - value) * (place - left)));
}

// A colour for each of the 256 weights. The root lets small weights be seen: over 256 tokens an even share is 0.004.
export function colourTable(dark) {
  const stops = dark ? DARK_STEPS : LIGHT_STEPS;
  const rgb = Array.from({ length: 256 }, (_, byte) => between(stops, Math.sqrt(byte / 255)));
  return {
    dark,
    css: rgb.map(([r, g, b]) => `rgb(${r}, ${g}, ${b})`),
    // as ImageData wants them: one 32-bit number, alpha first and red last on every machine that runs a browser
    pixels: Uint32Array.from(rgb, ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0),
    inks: rgb.map(([r, g, b]) => (0.299 * r + 0.587 * g + 0.114 * b > 140 ? "#111111" : "#ffffff")),
    hatch: dark ? "#3d4650" : "#d4d4d4",
    ink: dark ? "#dddddd" : "#333333",
    mark: dark ? "#ffb347" : "#c04a00",
  };
}

// The theme is dark if its text is light: this holds for JupyterLab, VS Code and a plain page alike. An element that is
// not in the page yet has no colour.
export function isDark(element) {
  const [r, g, b] = (getComputedStyle(element).color.match(/[\d.]+/g) ?? [0, 0, 0]).map(Number);
  return 0.299 * r + 0.587 * g + 0.114 * b > 140;
}
