// --- a step as the diagram of the forward pass, with what each kernel takes ---

// What a step of the pass does, for those who see it for the first time.
const MEANING = {
  embedding: "looks up the token's vector",
  norm: "brings the vector to a common scale",
  "addition, norm": "adds the block's result, then brings the sum to a common scale",
  QKV: "makes queries, keys and values",
  rounding: "rounds the vector to 8 bits, so that whole numbers are multiplied",
  halves: "rounds the vector to 16 bits",
  "head norms": "brings each head's query and key to a common scale",
  rope: "turns queries and keys by their position",
  "split heads": "hands queries to the heads, stores keys and values",
  attention: "looks back at the tokens before, in every head",
  scores: "compares the query with every key",
  softmax: "turns scores into weights that add up to 100 %",
  mix: "mixes the values by these weights",
  "merge heads": "puts the heads' results side by side",
  projection: "combines what the heads have found",
  up: "MLP: to a wider vector",
  "gate, up": "MLP: to two wider vectors",
  gelu: "MLP: lets some of it through",
  gate: "MLP: lets some of it through",
  down: "MLP: back to the usual width",
  logits: "scores every token of the vocabulary",
  "group maxima": "finds the best of each group of scores",
  sampling: "picks the next token",
  step: "notes the token, and moves on by one position",
};

const scaled = (value, unit, prefixes) => {
  const at = prefixes.findIndex(([factor]) => value >= 0.9995 * factor), [factor, prefix] = prefixes[at < 0 ? prefixes.length - 1 : at];
  return `${(value / factor).toPrecision(3)} ${prefix}${unit}`;
};
const duration = (seconds) => scaled(seconds, "s", [[1, ""], [1e-3, "m"], [1e-6, "µ"], [1e-9, "n"]]);
const amount = (bytes, unit = "B") => scaled(bytes, unit, [[1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""]]);

// Where the names begin to repeat: {start, length} of a layer, `layers` of which follow each other.
const findLayers = (names, layers) => {
  for (let start = 0; layers > 1 && start < names.length; start++)
    for (let length = 1; start + length * layers <= names.length; length++) {
      const same = (_, i) => names[start + i] === names[start + i + length];
      if ([...Array(length * (layers - 1))].every(same)) return { start, length };
    }
  return null;
};

// Calls that are shown as one: their kernels, and what they take together.
const rowOf = (calls, steps) => ({
  steps: [...new Set(calls.map(({ step }) => steps[step]))],
  calls: calls.length,
  seconds: calls.reduce((sum, call) => sum + call.seconds, 0),
  bytes: calls.reduce((sum, { step }) => sum + steps[step].bytes / steps[step].calls, 0),
});

// What runs side by side in the list and is of one step, such as Q, K and V, is one row.
const rowsOf = (slots, steps) => {
  const name = (calls) => steps[calls[0].step].step, merged = [];
  for (const calls of slots) {
    const last = merged.at(-1);
    if (last && name(last) === name(calls)) last.push(...calls);
    else merged.push([...calls]);
  }
  return merged.map((calls) => rowOf(calls, steps));
};

// The pass in parts: what comes before the layers, a layer, and what comes after them.
const partsOf = ({ steps, calls }, layers) => {
  const found = findLayers(calls.map(({ step }) => steps[step].step), layers), each = (some) => rowsOf(some.map((call) => [call]), steps);
  if (!found) return [{ rows: each(calls) }];
  const { start, length } = found, end = start + length * layers;
  const layer = rowsOf([...Array(length).keys()].map((i) => [...Array(layers).keys()].map((l) => calls[start + l * length + i])), steps);
  const split = layer.findLastIndex((row) => row.steps[0].step === "projection") + 1;
  const blocks = split ? [["Attention", layer.slice(0, split)], ["MLP", layer.slice(split)]] : [["", layer]];
  return [{ rows: each(calls.slice(0, start)) }, ...blocks.map(([title, rows]) => ({ title, rows, layers })), { rows: each(calls.slice(end)) }];
};

const meter = (value, most, text, kind) => {
  const element = make("span", { className: `meter ${kind}` }, make("span", {}, text));
  element.style.setProperty("--share", most ? value / most : 0);
  return element;
};

// The source of each file as it runs, and what the documentation has about it.
const readings = ({ sources, pages }, files, open) => files.flatMap((file) => {
  const reading = (title, content) => make("details", { open }, make("summary", {}, title), content);
  const source = make("pre", { tabIndex: 0, role: "group", "aria-label": file }, sources[file]);
  return [reading(`Source: kernels/${file}`, source), pages[file] ? reading("Documentation", markdown(pages[file])) : ""];
});

class Kernels {
  // `onAgain()`: measure once more.
  constructor({ onAgain }) {
    this.summary = make("p", { className: "lead" });
    this.again = make("button", { type: "button", className: "button" }, "Measure again");
    this.again.addEventListener("click", onAgain);
    this.list = make("div", { className: "pass" });
    this.element = make("div", {}, make("div", { className: "heading" }, this.summary, this.again), this.list);
  }

  show(plan, layers) {
    const { steps, calls, tokens } = plan;
    const seconds = calls.reduce((sum, call) => sum + call.seconds, 0), bytes = steps.reduce((sum, step) => sum + step.bytes, 0);
    const parts = partsOf(plan, layers).filter(({ rows }) => rows.length), rows = parts.flatMap((part) => part.rows);
    this.plan = plan;
    this.seconds = seconds;
    this.most = { seconds: Math.max(...rows.map((row) => row.seconds)), bytes: Math.max(...rows.map((row) => row.bytes)) };
    this.summary.replaceChildren(make("strong", {}, duration(seconds)), " for the next token, after a text of ", tokens === 1 ? "one token" : `${tokens} tokens`, `. In it ${calls.length} kernel calls move ${amount(bytes)}, at ${amount(bytes / seconds, "B/s")}.`);
    const head = make("div", { className: "pass-head", "aria-hidden": "true" }, make("span", {}, "step and kernel, along the residual stream"),
      make("span", { className: "key seconds" }, "time"), make("span", { className: "key bytes" }, "memory traffic"));
    this.list.replaceChildren(head, ...this.parts(parts));
  }

  parts(parts) {
    const made = [];
    let loop = null;
    for (const { title, rows, layers } of parts) {
      const list = make("ol", { className: "steps" }, ...rows.map((row) => this.row(row)));
      if (!layers) {
        made.push(make("div", { className: "part" }, list));
        continue;
      }
      if (!loop) {
        const inside = parts.filter((part) => part.layers).flatMap((part) => part.rows).reduce((sum, row) => sum + row.seconds, 0);
        loop = make("div", { className: "part loop" }, make("h3", {}, `Layers 0 to ${layers - 1}, one after the other`,
          make("span", { className: "quiet" }, `${duration(inside)}, ${percent(inside / this.seconds)} of the step`)));
        made.push(loop);
      }
      loop.append(title ? make("h4", {}, title) : "", list);
    }
    return made;
  }

  row(row) {
    const [{ step }] = row.steps, kernels = [...new Set(row.steps.map(({ kernel }) => kernel))].join(", ");
    const button = make("button", { type: "button", className: "step", "aria-expanded": "false" },
      make("span", { className: "name" }, make("strong", {}, step), MEANING[step] ? make("span", { className: "quiet" }, MEANING[step]) : ""),
      meter(row.seconds, this.most.seconds, duration(row.seconds), "seconds"), meter(row.bytes, this.most.bytes, amount(row.bytes), "bytes"),
      make("span", { className: "kernel" }, row.calls > 1 ? `${kernels} × ${row.calls}` : kernels));
    const item = make("li", {}, button);
    button.addEventListener("click", () => {
      const open = button.getAttribute("aria-expanded") === "true";
      button.setAttribute("aria-expanded", String(!open));
      if (open) item.lastChild.remove();
      else item.append(this.detail(row));
    });
    return item;
  }

  // Why these kernels, and what there is to be read about them.
  detail(row) {
    const files = [...new Set(row.steps.map(({ file }) => file))].filter(Boolean);
    const facts = row.steps.map(({ why, shape }) => make("p", { className: "quiet" }, `Why this kernel: ${why}. `, make("code", {}, shape.replace(" window=4294967295", ""))));
    const rate = make("p", { className: "quiet" }, `${amount(row.bytes)} in ${duration(row.seconds)}: ${amount(row.bytes / row.seconds, "B/s")}, ${percent(row.seconds / this.seconds)} of the step.`);
    return make("div", { className: "detail" }, rate, ...facts, ...readings(this.plan, files, true),
      ...(files.length ? [] : [make("p", { className: "quiet" }, "This product is made by the vendor's matrix library.")]));
  }
}
