// The steps: their names, what they do in words, which part of their line of code does it, and the numbers they show.

import { dot, signed, softmax } from "./arithmetic.js";
import { attended } from "./numbers.js";
import { bars, note, strip, strips } from "./rows.js";

const MANY = 8; // likeliest characters

// of: what a step belongs to besides its position; show: what stands below, given the walk.
export const STEPS = {
  embed: {
    title: "Embedding",
    words: "The character's row of the token table plus its position's row of the position table: the residual stream begins.",
    show: ({ numbers, t }) =>
      strips([["token", numbers.get("token", t)], ["+ position", numbers.get("position", t)], ["= x", numbers.stream(0, 0, t)]]),
  },
  normed: {
    title: "Norm",
    of: "layer",
    words: "LayerNorm brings the channels of x to mean 0 and variance 1, then scales and shifts each.",
    code: "self.ln1(x)",
    show: ({ numbers, t, layer }) => [strip("x", numbers.stream(layer, 0, t)), strip("normed", numbers.get("normed", layer, 0, t))],
  },
  qkv: {
    title: "Query, key, value",
    of: "head",
    words: "Three learned matrices turn the normed row into a query q, a key k and a value v.",
    show: ({ numbers, t, layer, head }) => ["q", "k", "v"].map((name) => strip(name, numbers.get(name, layer, head, t))),
  },
  scores: {
    title: "Scores",
    of: "head",
    words: "The dot product of this query with the key of every position.",
    code: "q @ k.transpose(-2, -1)",
    show: (walk) => [byPosition(walk, walk.attention.scores)],
  },
  scaled: {
    title: "Scale",
    of: "head",
    words: "Each score is divided by √D, the root of the number of channels: without that, scores grow with it.",
    code: "/ math.sqrt(q.shape[-1])",
    show: (walk) => [
      note(`D is ${walk.numbers.size("q", 3)}, so each is divided by ${signed(Math.sqrt(walk.numbers.size("q", 3)))}.`),
      byPosition(walk, walk.attention.scaled),
    ],
  },
  masked: {
    title: "Mask",
    of: "head",
    words: "No position attends to a later one: the scores of later keys become −∞.",
    show(walk) {
      const last = walk.t + 1 === walk.tokens.length;
      const words = "Nothing comes after this character, so nothing is masked. Choose an earlier one to see it.";
      return [...(last ? [note(words)] : []), byPosition(walk, walk.attention.masked)];
    },
  },
  softmax: {
    title: "Softmax",
    of: "head",
    words: "eˣ of each score, divided by the sum of all: the attention weights, which add to 1.",
    show: (walk) => [byPosition(walk, walk.attention.weights, 1)],
  },
  out: {
    title: "Weighted sum",
    of: "head",
    words: "The values of all positions, averaged with these weights: the output of the head.",
    show({ numbers, t, layer, head, attention, tokens }) {
      const { weights, out } = attention;
      const order = [...weights.keys()].filter((s) => s <= t).sort((a, b) => weights[b] - weights[a]);
      const weighted = (s) => numbers.get("v", layer, head, s).map((value) => weights[s] * value);
      const shown = order.slice(0, 4).map((s) => [`${signed(weights[s])} × v of ${s} ${tokens[s]}`, weighted(s)]);
      const rest = out.map((value, i) => value - shown.reduce((total, [, row]) => total + row[i], 0));
      const more = order.length - shown.length;
      return strips([...shown, ...(more > 0 ? [[`+ ${more} more`, rest]] : []), ["= output", out]]);
    },
  },
  merge: {
    title: "All heads",
    of: "layer",
    words: "The outputs of all heads of the layer, side by side, go through a linear layer, the projection.",
    show({ numbers, t, layer }) {
      const heads = Array.from({ length: numbers.size("q", 1) }, (_, head) => [
        `head ${head + 1}`,
        attended(numbers, layer, head, t).out,
      ]);
      return [...strips(heads), strip("projected", numbers.added(layer, 0, t))];
    },
  },
  added: {
    title: "Skip connection",
    of: "layer",
    words: "What attention computed is added to the residual stream.",
    show: ({ numbers, t, layer }) => sum(numbers, layer, 0, t, "+ attention"),
  },
  hidden: {
    title: "Feed-forward",
    of: "layer",
    words: "Another norm, then a wider layer with a ReLU, which sets everything below zero to zero.",
    code: "F.relu(self.expand(x))",
    show({ numbers, t, layer }) {
      const values = numbers.get("hidden", layer, t);
      const active = values.filter((value) => value > 0).length;
      return [
        strip("normed", numbers.get("normed", layer, 1, t)),
        strip("after ReLU", values),
        note(`${active} of ${values.length} channels are above zero.`),
      ];
    },
  },
  ffwd: {
    title: "Skip connection",
    of: "layer",
    words: "Projected back to as many channels as x has, and added to the residual stream: the block is done.",
    show: ({ numbers, t, layer }) => sum(numbers, layer, 1, t, "+ feed-forward"),
  },
  blocks: {
    title: "All blocks",
    words: "Every block does the same with weights of its own. How long the row of this position is after each:",
    code: "self.blocks(x)",
    show({ numbers, t, layer }) {
      const length = (row) => Math.sqrt(dot(row, row));
      const L = numbers.size("q", 0);
      const after = Array.from({ length: L }, (_, l) => [`layer ${l + 1}`, length(numbers.stream(l, 2, t)), l === layer ? "here" : ""]);
      return [bars([["embedding", length(numbers.stream(0, 0, t))], ...after])];
    },
  },
  logits: {
    title: "Logits, softmax",
    words: "The last norm, then lm_head: a logit for each character of the vocabulary. Softmax makes probabilities of them.",
    show({ numbers, t, alphabet, tokens }) {
      const logits = Array.from(numbers.get("logits", t));
      const chances = softmax(logits);
      const order = [...chances.keys()].sort((a, b) => chances[b] - chances[a]).slice(0, MANY);
      const next = t + 1 < tokens.length ? ` In this text ${tokens[t + 1]} comes next.` : "";
      const row = (i) => [`${alphabet[i].padEnd(2)} ${signed(logits[i])}`, chances[i], tokens[t + 1] === alphabet[i] ? "here" : ""];
      return [
        strip("after last norm", numbers.get("final", t)),
        note(`The ${order.length} likeliest next characters, each with its logit and its probability.${next}`),
        bars(order.map(row), 1),
      ];
    },
  },
};

// A number for every position, the one that is followed marked, later ones pale.
function byPosition({ tokens, t }, values, top) {
  const kind = (s) => (s === t ? "here" : s > t ? "later" : "");
  return bars(Array.from(values, (value, s) => [`${String(s).padStart(2)} ${tokens[s]}`, value, kind(s)]), top);
}

function sum(numbers, layer, half, t, name) {
  return strips([
    ["x", numbers.stream(layer, half, t)],
    [name, numbers.added(layer, half, t)],
    ["= x", numbers.stream(layer, half + 1, t)],
  ]);
}
