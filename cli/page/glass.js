"use strict";
// What is seen inside a model, as `metal-llm inspect` and /inspect tell it. Texts of tokens come from anywhere: they
// become text nodes alone.

const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  for (const [name, value] of Object.entries(properties))
    if (name.includes("-")) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== null));
  return element;
};

const percent = (p) => {
  if (p === 0) return "0\xa0%";
  if (p < 0.0001) return "<\xa00.01\xa0%";
  return p >= 0.9995 ? "100\xa0%" : `${p >= 0.1 ? (100 * p).toFixed(1) : (100 * p).toPrecision(2)}\xa0%`;
};
const probability = (token) => Math.exp(token.logprob);

// 0, a surprise, to 6, as good as certain: the classes p0 to p6.
const LEVELS = [0.01, 0.05, 0.15, 0.35, 0.6, 0.85];
const levelOf = (p) => LEVELS.filter((bound) => p >= bound).length;

// As it is to be read: what would not be seen is named.
// Control characters by their pictures, spaces by themselves as well: every token can be seen, and read aloud.
const PICTURES = { "\n": "↵", "\t": "⇥", "\x7f": "␡" };
const picture = (control) => PICTURES[control] ?? String.fromCodePoint(0x2400 + control.codePointAt(0));
const named = (blank) => (blank === " " ? "␣" : `U+${blank.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`);
const visible = (text) => {
  const shown = text.replace(/[\0-\x1f\x7f]/g, picture);
  return (/^[\s\p{C}]+$/u.test(shown) ? [...shown].map(named).join("") : shown) || "∅";
};
const quoted = (text) => `“${visible(text)}”`;

// One of several is in the order of the Tab key; arrows lead to the others.
const rove = (container, selector, columns = () => 1) => {
  const all = () => [...container.querySelectorAll(selector)];
  const settle = () => all().forEach((item, i) => (item.tabIndex = i ? -1 : 0));
  container.addEventListener("keydown", (event) => {
    const items = all(), at = items.indexOf(event.target), row = columns();
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: row, ArrowUp: -row, Home: -at, End: items.length - 1 - at };
    if (at < 0 || !(event.key in steps)) return;
    const next = items[at + steps[event.key]];
    event.preventDefault();
    if (!next) return;
    items.forEach((item) => (item.tabIndex = -1));
    next.tabIndex = 0;
    next.focus();
  });
  return settle;
};

const bar = (token, { own = false, onChoose = null, p = probability(token) } = {}) => {
  const item = make(onChoose ? "button" : "div", { className: own ? "bar own" : "bar" },
    make("span", {}, quoted(token.text)), make("span", {}, p === 0 && probability(token) > 0 ? `cut off (${percent(probability(token))})` : percent(p)));
  if (onChoose) {
    item.type = "button";
    item.addEventListener("click", onChoose);
  }
  item.style.setProperty("--share", p);
  return item;
};

// --- a text whose tokens are coloured by how likely they were ---

const plainShares = (likeliest, token) => ({ likeliest: likeliest.map(probability), token: probability(token) });

class Tokens {
  // `onSelect(position)`; `onForce(position, token)` makes the likeliest buttons; `shares(likeliest, token, position)`: the
  // probabilities of the likeliest and of the token, as samplers leave them. `onLook(position, button)`: the pointer
  // or the focus is on a token; `onLeave()`: it is on none. `isOwn(position)`: the reader has written this one.
  constructor({ onSelect = () => {}, onForce = null, shares = plainShares, isOwn = () => false, onLook = (position) => this.tell(position), onLeave = () => this.tell(this.selected) } = {}) {
    this.onSelect = onSelect;
    this.onLook = onLook;
    this.onForce = onForce;
    this.shares = shares;
    this.isOwn = isOwn;
    this.text = make("div", { className: "tokens", role: "group", "aria-label": "The text, token by token" });
    this.side = make("div", { className: "side" });
    this.element = make("div", { className: "split" }, this.text, this.side);
    this.settle = rove(this.text, ".token");
    this.text.addEventListener("mouseleave", onLeave);
  }

  // From position `from` on: what is before it is not shown.
  show(data, selected = data.tokens.length - 1, from = 0) {
    this.data = data;
    this.from = from;
    this.text.replaceChildren();
    data.tokens.slice(from).forEach((token, i) => {
      const position = from + i, known = token.logprob !== null, own = this.isOwn(position);
      const p = known ? this.shares(data.top[position - 1] || [], token, position).token : 1;
      const button = make("button", {
        type: "button",
        className: `token${known ? ` p${levelOf(p)}` : ""}${own ? " own" : ""}`,
        "aria-pressed": "false",
        "aria-label": `${quoted(token.text)}${known ? `, ${percent(p)}` : ""}${own ? ", yours" : ""}`,
      }, visible(token.text));
      const look = () => this.onLook(position, button);
      button.addEventListener("mouseenter", look);
      button.addEventListener("focus", look);
      button.addEventListener("click", () => this.select(position));
      this.text.append(button);
      if (token.text.includes("\n")) this.text.append(make("br"));
    });
    this.settle();
    this.mark(selected);
  }

  mark(position) {
    this.selected = position;
    [...this.text.querySelectorAll(".token")].forEach((button, i) => button.setAttribute("aria-pressed", String(this.from + i === position)));
    this.tell(position);
  }

  select(position) {
    this.mark(position);
    this.onSelect(position);
  }

  // Which tokens were likeliest in the place of this one.
  tell(position) {
    const token = this.data.tokens[position], likeliest = ((position && this.data.top[position - 1]) || []).slice(0, 10);
    if (!token) return;
    const heading = make("h3", {}, token.logprob === null ? `${quoted(token.text)} was given, not predicted` : `What could stand here instead of ${quoted(token.text)}`);
    const list = make("ol", { className: "bars", "aria-label": "the likeliest tokens" });
    const force = (other) => (this.onForce && other.id !== token.id ? () => this.onForce(position, other) : null);
    const others = likeliest.some((other) => other.id === token.id) || token.logprob === null ? likeliest : [...likeliest, token];
    const shares = this.shares(this.data.top[position - 1] || [], token, position);
    const ps = [...shares.likeliest.slice(0, likeliest.length), shares.token];
    others.forEach((other, i) => list.append(make("li", {}, bar(other, { own: other.id === token.id, onChoose: force(other), p: ps[i] }))));
    const isCut = others.some((other, i) => ps[i] === 0 && probability(other) > 0);
    this.side.replaceChildren(heading, list, isCut ? make("p", { className: "quiet note" }, "Cut off: never picked with the settings under “Sampling”.") : "");
  }
}

const legend = () => make("span", { className: "legend" }, "how likely: < 1 %",
  ...[0, 1, 2, 3, 4, 5, 6].map((level) => make("i", { className: `p${level}` })), "> 85 %");
const heatLegend = () => make("span", { className: "legend" }, "0 %", make("i", { className: "ramp" }), "100 % of its attention");

// --- attention: all heads small, one of them large over the text ---

class Attention {
  // `onHead(layer, head)`: another one was chosen; `onSelect(position)`: another token.
  constructor({ onHead = () => {}, onSelect = () => {} } = {}) {
    this.onHead = onHead;
    this.onSelect = onSelect;
    this.layer = this.head = 0;
    this.grid = make("div", { className: "heads" });
    this.title = make("h3");
    this.text = make("div", { className: "tokens", role: "group", "aria-label": "The text, and how much of each token is taken in" });
    this.most = make("p", { className: "quiet" });
    this.about = make("p", { className: "quiet" });
    this.element = make("div", { className: "attention" },
      make("div", { className: "large" }, make("div", { className: "heading" }, this.title, heatLegend()), this.text, this.most),
      make("div", { className: "map" }, make("h3", {}, "All heads"), this.about, this.grid));
    this.settle = rove(this.grid, ".head", () => this.data.heads);
    this.settleText = rove(this.text, ".token");
  }

  show(data, position) {
    const first = !this.data || this.data.layers !== data.layers || this.data.heads !== data.heads;
    this.data = data;
    if (first) this.build();
    if (first) [this.layer, this.head] = this.sharpest(position);
    this.select(position);
  }

  // The head that looks most firmly at one token, other than the first, its own and the one before: many do that.
  sharpest(position) {
    let best = [0, 0], most = 0;
    this.data.attention.weights.forEach((heads, l) => heads.forEach((rows, h) => {
      const row = rows[position - this.data.attention.token] || [], weight = Math.max(0, ...row.slice(1, Math.max(1, position - 1)));
      if (weight > most) [best, most] = [[l, h], weight];
    }));
    return best;
  }

  // As wide as there is room for. All tokens' rows make a square; a single one a strip.
  size() {
    const { layers, heads } = this.data, isStrip = this.rows(0, 0).length === 1;
    const wide = Math.max(14, Math.min(104, Math.floor(Math.min(560, innerWidth - 150) / heads) - 8));
    if (!isStrip) return [Math.max(26, Math.min(64, wide)), Math.max(26, Math.min(64, wide))];
    return [wide, Math.max(14, Math.min(34, Math.floor(420 / layers) - 5))];
  }

  build() {
    const { layers, heads } = this.data, [width, height] = this.size();
    const columns = [...Array(heads).keys()], rows = [...Array(layers).keys()];
    const head = make("tr", {}, make("td", { className: "corner" }, "head"), ...columns.map((h) => make("th", { scope: "col" }, String(h))));
    const body = rows.map((l) => make("tr", {}, make("th", { scope: "row" }, `layer ${l}`), ...columns.map((h) => {
      const canvas = make("canvas");
      const button = make("button", { type: "button", className: "head", "aria-pressed": "false", "aria-label": `head ${h} of layer ${l}` }, canvas);
      button.addEventListener("click", () => this.choose(l, h));
      return make("td", {}, button);
    })));
    this.grid.replaceChildren(make("table", { "aria-label": "attention of all heads" }, make("thead", {}, head), make("tbody", {}, ...body)));
    this.grid.style.setProperty("--wide", `${width}px`);
    this.grid.style.setProperty("--high", `${height}px`);
    this.about.replaceChildren(`A row for each of ${layers} layers, a column for each of ${heads} heads. Each box is the text from left to right${this.rows(0, 0).length > 1 ? ", and from top to bottom the token that looks back" : ""}. Choose one to see it in the text.`);
    this.buttons = [...this.grid.querySelectorAll(".head")];
    this.layer = Math.min(this.layer, layers - 1);
    this.head = Math.min(this.head, heads - 1);
    this.settle();
  }

  rows(layer, head) {
    return this.data.attention.weights[layer][head];
  }

  select(position) {
    const { token } = this.data.attention, rows = this.rows(0, 0).length;
    this.position = Math.min(Math.max(position, token), token + rows - 1);
    const off = new Set(this.data.off.heads.map(([l, h]) => `${l}.${h}`));
    this.buttons.forEach((button, i) => {
      const layer = Math.floor(i / this.data.heads), head = i % this.data.heads;
      button.classList.toggle("off", off.has(`${layer}.${head}`));
      this.draw(button.firstChild, this.rows(layer, head));
    });
    this.choose(this.layer, this.head, true);
  }

  // Each token's row as a line of pixels; of one token, its row alone. Where there are more tokens than pixels, one
  // shows the strongest of its own.
  draw(canvas, all) {
    const room = Math.round(this.size()[0] * devicePixelRatio), share = Math.ceil(all[0].length / room);
    const pooled = (row) => (share > 1 ? [...Array(Math.ceil(row.length / share)).keys()].map((i) => Math.max(...row.slice(i * share, (i + 1) * share))) : row);
    const rows = all.map(pooled), columns = rows[0].length, height = rows.length;
    canvas.width = columns;
    canvas.height = height;
    const context = canvas.getContext("2d"), image = context.createImageData(columns, height);
    const [red, green, blue] = getComputedStyle(document.documentElement).getPropertyValue("--heat").split(",").map(Number);
    const own = this.position - this.data.attention.token;
    rows.forEach((row, y) => row.forEach((weight, x) => {
      const strong = rows.length === 1 || y === own ? 1 : 0.8;
      image.data.set([red, green, blue, 255 * Math.sqrt(weight) * strong], 4 * (y * columns + x));
    }));
    context.putImageData(image, 0, 0);
  }

  choose(layer, head, quiet = false) {
    this.layer = layer;
    this.head = head;
    this.buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === layer * this.data.heads + head)));
    const { tokens, attention } = this.data, row = this.rows(layer, head)[this.position - attention.token];
    this.title.replaceChildren(`Layer ${layer}, head ${head}: what ${quoted(tokens[this.position].text)} attends to`);
    const hadFocus = this.text.contains(document.activeElement);
    this.text.replaceChildren(...tokens.flatMap((token, s) => {
      const weight = row[s] || 0, className = s === this.position ? "token here" : "token";
      const button = make("button", { type: "button", className, title: percent(weight) }, visible(token.text));
      button.addEventListener("click", () => this.onSelect(s));
      button.style.backgroundColor = `rgba(var(--heat), calc(var(--strength) * ${Math.sqrt(weight).toFixed(3)}))`;
      return token.text.includes("\n") ? [button, make("br")] : [button];
    }));
    this.settleText();
    if (hadFocus) this.text.querySelector(".here").focus();
    const order = row.map((weight, s) => [weight, s]).filter(([weight]) => weight >= 0.005).sort((a, b) => b[0] - a[0]).slice(0, 6);
    this.most.replaceChildren("Most of all: ", order.map(([weight, s]) => `${quoted(tokens[s].text)} ${percent(weight)}`).join(" · "));
    if (!quiet) this.onHead(layer, head);
  }
}

// --- what each layer would say ---

class Lens {
  constructor({ onSelect = () => {} } = {}) {
    this.onSelect = onSelect;
    this.slider = make("input", { type: "range", min: 0, step: 1, "aria-label": "layer" });
    this.shown = make("output");
    this.text = make("div", { className: "tokens", role: "group", "aria-label": "Each token, and below it what the layer would predict next" });
    this.title = make("h3");
    this.list = make("ol", { className: "layers" });
    this.element = make("div", { className: "split" },
      make("div", {}, make("div", { className: "scrub" }, make("span", { className: "quiet" }, "after layer"), this.slider, this.shown), this.text),
      make("div", { className: "side" }, this.title, this.list));
    this.slider.addEventListener("input", () => this.scrub(Number(this.slider.value)));
    this.settle = rove(this.text, ".token");
  }

  show(data, position, from = 0) {
    this.data = data;
    this.from = from;
    this.slider.max = data.layers - 1;
    if (this.layer === undefined || this.layer >= data.layers) this.layer = data.layers - 1;
    const hadFocus = this.text.contains(document.activeElement);
    this.nexts = data.tokens.slice(from).map(() => make("span", { className: "next" }));
    this.text.replaceChildren(...data.tokens.slice(from).flatMap((token, i) => {
      const button = make("button", { type: "button", className: "token", "aria-pressed": "false" }, visible(token.text));
      button.addEventListener("click", () => this.select(from + i));
      const pair = make("span", { className: "pair" }, button, this.nexts[i]);
      return token.text.includes("\n") ? [pair, make("br")] : [pair];
    }));
    this.settle();
    this.mark(position);
    if (hadFocus) this.text.querySelector("[aria-pressed='true']").focus();
  }

  scrub(layer) {
    this.layer = layer;
    this.slider.value = layer;
    this.shown.value = `${layer} of ${this.data.layers - 1}`;
    this.nexts.forEach((next, i) => {
      const [likeliest] = this.data.lens[layer][this.from + i];
      if (!likeliest) return; // not computed yet
      next.className = `next p${levelOf(probability(likeliest))}`;
      next.textContent = visible(likeliest.text);
      next.title = percent(probability(likeliest));
    });
    [...this.list.querySelectorAll(".bar")].forEach((item) => item.setAttribute("aria-pressed", String(Number(item.dataset.layer) === layer)));
  }

  select(position) {
    this.mark(position);
    this.onSelect(position);
  }

  mark(position) {
    const { tokens, lens, layers } = this.data;
    this.selected = position;
    [...this.text.querySelectorAll(".token")].forEach((button, i) => button.setAttribute("aria-pressed", String(this.from + i === position)));
    this.title.replaceChildren(`After ${quoted(tokens[position].text)}, layer by layer`);
    this.list.replaceChildren(...[...Array(layers).keys()].reverse().map((layer) => {
      const item = bar(lens[layer][position][0], { onChoose: () => this.scrub(layer) });
      item.dataset.layer = layer;
      return make("li", { className: "layer" }, make("span", {}, `layer ${layer}`), item);
    }));
    this.scrub(this.layer);
  }
}

const card = (title, text, ...content) => make("section", { className: "card" },
  make("header", {}, make("h2", {}, title), make("p", { className: "quiet" }, text)), ...content);
