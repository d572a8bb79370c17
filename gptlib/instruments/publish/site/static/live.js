// Shows the anywidgets of a page without a kernel: each reads and changes a stored state and answers for itself.
// A picture stays where scripts are off or a module fails.

function bytes(base64) {
  const text = atob(base64);
  const array = Uint8Array.from(text, (character) => character.charCodeAt(0));
  return new DataView(array.buffer);
}

function storedModel({ state, buffers }) {
  const values = { ...state, live: false };
  for (const { path, data } of buffers) {
    const holder = path.slice(0, -1).reduce((inner, key) => inner[key], values);
    holder[path.at(-1)] = bytes(data);
  }
  const listeners = [];
  const emit = (event, ...details) =>
    listeners.filter((one) => one.event === event).forEach((one) => one.callback(...details));
  const change = (name, value) => {
    if (values[name] === value) return;
    values[name] = value;
    emit(`change:${name}`, model, value);
    emit("change", model);
  };
  const model = {
    get: (name) => values[name],
    set: (name, value) =>
      Object.entries(typeof name === "object" ? name : { [name]: value }).forEach((pair) =>
        change(...pair),
      ),
    on: (events, callback) =>
      events.split(/\s+/).forEach((event) => listeners.push({ event, callback })),
    off: (events, callback) => {
      const named = events ? events.split(/\s+/) : null;
      for (let i = listeners.length - 1; i >= 0; i--) {
        const { event, callback: known } = listeners[i];
        if ((!named || named.includes(event)) && (!callback || callback === known))
          listeners.splice(i, 1);
      }
    },
    save_changes: () => {}, // nobody listens: there is no kernel
    send: () => {},
  };
  return model;
}

async function load({ _esm, _css }) {
  const style = document.createElement("style");
  style.textContent = _css ?? "";
  document.head.append(style);
  const url = URL.createObjectURL(new Blob([_esm], { type: "text/javascript" }));
  const widget = (await import(url)).default;
  return typeof widget === "function" ? widget() : widget;
}

async function show(figure, stored, module) {
  const stage = document.createElement("div");
  stage.className = "stage";
  const still = figure.querySelector(".still");
  still.before(stage);
  const { signal } = new AbortController();
  const model = storedModel(stored);
  try {
    const widget = await module;
    await widget.initialize?.({ model, signal });
    await widget.render({ model, el: stage, signal });
    still.remove();
  } catch (problem) {
    stage.remove();
    console.error(problem);
  }
}

for (const figure of document.querySelectorAll("figure.live")) {
  const stored = JSON.parse(figure.querySelector("script").textContent);
  show(figure, stored, load(stored.state));
}
