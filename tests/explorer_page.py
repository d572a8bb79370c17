"""An explorer or a walk on a page of its own: its state, and a stand-in for the model that Jupyter would bring."""

import base64
import json

STAND_IN = """
const listeners = {};
let changed = {};
const state = {};
const text = {}; // of the bytes, to see what is new
const bytes = (base64) => new DataView(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)).buffer);
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
function take([plain, raw]) { // like a message from Python: all values first, then who wants to know hears of them
  const fresh = Object.keys(plain).filter((name) => !same(plain[name], state[name]));
  const freshBytes = Object.keys(raw).filter((name) => raw[name] !== text[name]);
  Object.assign(state, plain);
  Object.assign(text, raw);
  for (const name of freshBytes) state[name] = bytes(raw[name]);
  for (const name of [...fresh, ...freshBytes]) tell(name);
}
function tell(name) {
  for (const listener of listeners[`change:${name}`] ?? []) listener();
}
window.model = {
  get: (name) => state[name],
  set(name, value) {
    if (same(state[name], value)) return;
    state[name] = changed[name] = value;
    tell(name);
  },
  async save_changes() {
    const asked = changed;
    changed = {};
    if (window.python) take(await window.python(asked));
  },
  send() {},
  on: (name, listener) => (listeners[name] ??= []).push(listener),
};
"""


def state_of(widget, live):
    """(JSON values, bytes as base64) of all that the scripts may ask for."""
    state = {name: getattr(widget, name) for name in type(widget).class_trait_names(sync=True)}
    state = {name: value for name, value in state.items() if name[0] != "_" and name != "layout"}
    raw = {n: base64.b64encode(v).decode() for n, v in state.items() if isinstance(v, bytes)}
    return {name: state[name] for name in state if name not in raw} | {"live": live}, raw


def html(widget, live=False):
    """The whole page."""
    script = widget._esm.replace("export default", "const widget =")
    return f"""<!doctype html><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<style>{widget._css}</style><body><script type="module">{script}</script><script type="module">
{STAND_IN}
take({json.dumps(state_of(widget, live))});
const el = document.createElement("div");
document.body.append(el);
window.widget.render({{ model: window.model, el }});
</script>""".replace("const widget =", "window.widget =")


def opened(browser, widget, width=1000, css="gpt-explorer", python=None, **options):
    """A page that shows an explorer or a walk, whose css class is css; page.errors fills as it goes on.

    python: None for a page without it, "answers" for one that widget answers, "silent" for one whose kernel is gone.
    """
    page = browser.new_page(viewport={"width": width, "height": 1000}, **options)
    page.set_default_timeout(10_000)
    page.errors = []
    page.on("console", lambda m: page.errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda problem: page.errors.append(str(problem)))

    known, known_bytes = state_of(widget, live=True)

    def answer(changed):
        """What is new to the page once widget has taken over what changed there."""
        known.update(changed)
        for name, value in changed.items():
            setattr(widget, name, value)
        now, now_bytes = state_of(widget, live=True)
        news = [
            {name: value for name, value in new.items() if value != old[name]}
            for new, old in ((now, known), (now_bytes, known_bytes))
        ]
        known.update(now)
        known_bytes.update(now_bytes)
        return news

    if python == "answers":
        page.expose_function("python", answer)
    page.set_content(html(widget, live=python is not None))
    page.locator(f".{css}").wait_for()
    return page
