// The walk: the numbers of one forward pass, shown step by step. Python sends all of them once for a prompt; everything
// after that (another character, layer, head or step) is worked out and drawn here.

import { debounced, within } from "./elements.js";
import { keepKeys } from "./keys.js";
import { Numbers, attended } from "./numbers.js";
import { make } from "./rows.js";
import { STEPS } from "./steps.js";
import { Waiting } from "./waiting.js";

const TYPING_PAUSE = 250; // ms without a key before Python is asked
const NEEDS_PYTHON = "To change the prompt, open the notebook: python run.py lab";
const MOVES = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1, Home: -1e9, End: 1e9 };

class Walk {
  constructor(model, root) {
    this.model = model;
    root.classList.add("gpt-walk");
    keepKeys(root);
    this.waiting = new Waiting(model, () => ["prompt"], () => this.showState());
    this.build(root);
    this.listen();
    this.load();
  }

  build(root) {
    this.prompt = make("textarea", "prompt", { rows: 2, spellcheck: false, autocomplete: "off" });
    this.sentence = make("p", "sentence", { role: "status" });
    this.hint = make("p", "note");
    this.letters = make("div", "tokens", { role: "radiogroup", "aria-label": "the character to follow; arrow keys move" });
    this.selects = { layer: make("select", ""), head: make("select", "") };
    this.steps = make("div", "steps", { role: "tablist", "aria-label": "steps; arrow keys move", "aria-orientation": "vertical" });
    this.title = make("p", "title");
    this.words = make("p", "words");
    this.code = make("code", "code");
    this.body = make("div", "body");
    this.panel = make("div", "panel", { role: "tabpanel" }, [this.title, this.words, this.code, this.body]);
    this.voice = make("div", "voice", { "aria-live": "polite" });
    this.main = make("div", "main", {}, [this.letters, this.steps, this.panel]);
    const labelled = (words, input) => make("label", "control", {}, [make("span", "", { textContent: words }), input]);
    const controls = make("div", "controls", {}, [
      labelled("prompt", this.prompt), labelled("layer", this.selects.layer), labelled("head", this.selects.head),
    ]);
    root.replaceChildren(controls, this.sentence, this.hint, this.main, this.voice);
  }

  listen() {
    const { model } = this;
    for (const name of ["position", "layer", "head", "step"]) model.on(`change:${name}`, () => this.draw());
    model.on("change:revision", () => this.load());
    model.on("change:sentence", () => this.showState());
    const typed = debounced(() => this.waiting.ask("prompt", this.prompt.value), TYPING_PAUSE);
    this.prompt.addEventListener("input", () => {
      this.showState();
      typed();
    });
    for (const [name, select] of Object.entries(this.selects)) {
      select.addEventListener("change", () => this.set(name, Number(select.value)));
    }
    this.onKeys(this.steps, () => model.get("steps").indexOf(model.get("step")), (place) => this.set("step", model.get("steps")[place]));
    this.onKeys(this.letters, () => this.t, (place) => this.set("position", place));
  }

  // The arrow keys among the children of box, of which one is chosen.
  onKeys(box, chosen, choose) {
    box.addEventListener("keydown", (event) => {
      if (!(event.key in MOVES)) return;
      event.preventDefault();
      const place = within(chosen() + MOVES[event.key], box.children.length);
      choose(place);
      box.children[place].focus();
    });
  }

  set(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
  }

  load() {
    const { model } = this;
    this.numbers = new Numbers(model);
    this.tokens = model.get("tokens");
    this.alphabet = model.get("alphabet");
    if (this.prompt.getRootNode().activeElement !== this.prompt) this.prompt.value = model.get("prompt");
    this.prompt.disabled = !model.get("live");
    this.hint.textContent = model.get("live") ? "" : NEEDS_PYTHON;
    for (const [axis, select] of Object.values(this.selects).entries()) {
      select.replaceChildren(...Array.from({ length: this.numbers.size("q", axis) }, (_, i) => new Option(i + 1, i)));
    }
    this.letters.replaceChildren(...this.tokens.map((token, t) => {
      const button = make("button", "token", { type: "button", textContent: token, role: "radio" });
      button.setAttribute("aria-label", `position ${t}, ${token}`);
      button.addEventListener("click", () => this.set("position", t));
      return button;
    }));
    this.steps.replaceChildren(...model.get("steps").map((step, i) => {
      const button = make("button", "step", { type: "button", textContent: `${i + 1} ${STEPS[step].title}`, role: "tab" });
      button.addEventListener("click", () => this.set("step", step));
      return button;
    }));
    this.showState();
    this.draw();
  }

  // What is wrong, and whether the walk belongs to what is asked for.
  showState() {
    const words = this.waiting.words();
    if (this.sentence.textContent !== words) this.sentence.textContent = words;
    const stale = this.waiting.stale(["prompt"], this.prompt.value);
    this.main.classList.toggle("gpt-walk-stale", stale);
    this.main.setAttribute("aria-busy", String(stale));
  }

  draw() {
    const { model, numbers } = this;
    const chosen = (name, many) => within(model.get(name), many);
    this.t = chosen("position", this.tokens.length);
    this.layer = chosen("layer", numbers.size("q", 0));
    this.head = chosen("head", numbers.size("q", 1));
    this.selects.layer.value = this.layer;
    this.selects.head.value = this.head;
    this.attention = attended(numbers, this.layer, this.head, this.t);
    const step = model.get("step");
    this.mark(this.steps, model.get("steps").indexOf(step), "aria-selected");
    this.mark(this.letters, this.t, "aria-checked");
    const { title, words, of, code, show } = STEPS[step];
    const where = { layer: `, layer ${this.layer + 1}`, head: `, layer ${this.layer + 1}, head ${this.head + 1}` }[of] ?? "";
    this.title.textContent = `${title}: position ${this.t} ${this.tokens[this.t]}${where}`;
    this.words.textContent = words;
    this.showCode(model.get("code")[step], code);
    this.body.replaceChildren(...show(this));
    this.panel.setAttribute("aria-label", title);
    this.voice.textContent = `${this.title.textContent}. ${words}`;
  }

  // A line of code, the part of it that takes this step in bold.
  showCode(line, part = "") {
    const start = part ? line.indexOf(part) : -1;
    if (start < 0) return this.code.replaceChildren(line);
    const bold = make("b", "", { textContent: part });
    return this.code.replaceChildren(line.slice(0, start), bold, line.slice(start + part.length));
  }

  mark(box, place, attribute) {
    [...box.children].forEach((button, i) => {
      button.setAttribute(attribute, String(i === place));
      button.tabIndex = i === place ? 0 : -1;
    });
  }
}

function render({ model, el }) {
  const root = document.createElement("div");
  el.append(root);
  new Walk(model, root);
}

export default { render };
