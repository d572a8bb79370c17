// Light or dark: the explorer follows the page.

import { colourTable, isDark } from "./colours.js";

export function putColours(explorer) {
  explorer.table = colourTable(isDark(explorer.root));
  const image = new ImageData(256, 1);
  const pixels = new Uint32Array(image.data.buffer);
  for (let x = 0; x < 256; x++) pixels[x] = explorer.table.pixels[Math.round((x / 255) ** 2 * 255)];
  explorer.legend.scale.getContext("2d").putImageData(image, 0, 0);
  explorer.root.style.setProperty("--hatch", explorer.table.hatch);
  explorer.root.style.setProperty("--mark", explorer.table.mark);
}

// Calls action whenever element gets into the page or the page may have changed between light and dark; returns a
// function that ends that.
export function onTheme(element, action) {
  const arrival = new ResizeObserver(action);
  arrival.observe(element);
  const watcher = new MutationObserver(action);
  watcher.observe(document.body, { attributes: true });
  watcher.observe(document.documentElement, { attributes: true });
  const media = matchMedia("(prefers-color-scheme: dark)");
  media.addEventListener("change", action);
  return () => {
    arrival.disconnect();
    watcher.disconnect();
    media.removeEventListener("change", action);
  };
}
