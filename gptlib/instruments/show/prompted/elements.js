// Elements of a page, each made in one call.

// A function that makes elements whose classes begin with prefix: of a tag, with classes, properties, attributes (written
// in dashes) and children.
export function maker(prefix) {
  return (tag, name, given = {}, children = []) => {
    const element = document.createElement(tag);
    if (name) element.className = name.split(" ").map((part) => `${prefix}-${part}`).join(" ");
    for (const [key, value] of Object.entries(given)) {
      if (key.includes("-") || key === "role") element.setAttribute(key, value);
      else element[key] = value;
    }
    element.append(...children);
    return element;
  };
}

// Calls action when nothing has called the result for a while.
export function debounced(action, pause) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(action, pause);
  };
}

export function within(value, many) {
  return Math.max(0, Math.min(many - 1, value));
}
