"""An explorer on a page without Python: its stored state, and a stand-in for the model that Jupyter would bring."""

import base64
import json

STAND_IN = """
function standIn(state) {
  const listeners = {};
  return {
    get: (name) => state[name],
    set(name, value) {
      if (JSON.stringify(state[name]) === JSON.stringify(value)) return;
      state[name] = value;
      for (const listener of listeners[`change:${name}`] ?? []) listener();
    },
    save_changes() {},
    send() {},
    on: (name, listener) => (listeners[name] ??= []).push(listener),
  };
}
const bytes = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
"""


def state_of(explorer):
    """(JSON values, bytes as base64) of all that explorer.js may ask for."""
    state = {name: getattr(explorer, name) for name in type(explorer).class_trait_names(sync=True)}
    state = {name: value for name, value in state.items() if name[0] != "_" and name != "layout"}
    raw = {n: base64.b64encode(v).decode() for n, v in state.items() if isinstance(v, bytes)}
    return {name: state[name] for name in state if name not in raw} | {"live": False}, raw


def html(explorer):
    """The whole page."""
    state, raw = map(json.dumps, state_of(explorer))
    script = explorer._esm.replace("export default", "const widget =")
    return f"""<!doctype html><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<style>{explorer._css}</style><body><script type="module">{script}{STAND_IN}
const state = {state};
for (const [name, text] of Object.entries({raw})) state[name] = bytes(text);
const el = document.createElement("div");
document.body.append(el);
window.model = standIn(state);
widget.render({{ model: window.model, el }});
</script>"""


def opened(browser, explorer, width=1000, css="gpt-explorer", **options):
    """A page that shows an explorer or a walk, whose css class is css; page.errors fills as it goes on."""
    page = browser.new_page(viewport={"width": width, "height": 1000}, **options)
    page.set_default_timeout(10_000)
    page.errors = []
    page.on("console", lambda m: page.errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda problem: page.errors.append(str(problem)))
    page.set_content(html(explorer))
    page.locator(f".{css}").wait_for()
    return page
