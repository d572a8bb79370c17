// Whether Python has answered what was asked of it, and what to say when it does not.

const PATIENCE = 4000; // ms until the reader is told
const NOT_ANSWERING =
  "Python is not answering. If another cell is running, wait until it is done. If the kernel was restarted, choose " +
  "Run → Run All Above Selected Cell in the menu, then run this cell.";

function same(one, other) {
  return JSON.stringify(one) === JSON.stringify(other);
}

export class Waiting {
  // asked: a function that returns the names of what Python has to answer; changed: called when there may be news.
  constructor(model, asked, changed) {
    Object.assign(this, { model, asked, changed, silent: false, timer: 0 });
    model.on("change:answered", () => this.look());
  }

  // Whether Python owes an answer to the present value of one of these.
  owed(names = this.asked()) {
    const answered = this.model.get("answered");
    return this.model.get("live") && names.some((name) => !same(answered[name], this.model.get(name)));
  }

  ask(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
    this.look();
  }

  look() {
    clearTimeout(this.timer);
    this.silent &&= this.owed();
    if (this.owed() && !this.silent) {
      this.timer = setTimeout(() => {
        this.silent = true;
        this.changed();
      }, PATIENCE);
    }
    this.changed();
  }

  // What stands below the prompt: that Python is silent, or what is wrong.
  words() {
    return this.silent ? NOT_ANSWERING : this.model.get("sentence");
  }

  // Whether what is shown belongs to something else than what is asked for now; typed: the text in the prompt's box.
  stale(names, typed) {
    const { model } = this;
    if (!model.get("live")) return false;
    const prompt = model.get("prompt").replace(/\r\n?/g, "\n"); // as a box holds it
    return this.owed(names) || model.get("sentence") !== "" || typed !== prompt;
  }
}
