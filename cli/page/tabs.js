// --- tabs ---

const off = { heads: [], mlps: [] };
const likely = new Tokens({
  shares: (...place) => sharesOf(chosen.turn)(...place),
  onForce: (position, token) => force(chosen.turn, position, token).catch(fail),
});
const peek = new Peek($("peek"), (...forced) => force(...forced).catch(fail), () => $("tabs").scrollIntoView());
const attention = new Attention({ onHead: () => showSwitches(), onSelect: (position) => choose(chosen.turn, position) });
const lens = new Lens({ onSelect: (position) => choose(chosen.turn, position) });
const kernels = new Kernels({ onAgain: () => showTab() });
const switches = make("div", { className: "chips" });

const part = ({ turn, position }) => all(turn).slice(0, position + 1);
const lead = (...text) => make("p", { className: "lead" }, ...text);
// What a newcomer asks, for those who want to know.
const more = (...paragraphs) => make("details", { className: "more" }, make("summary", {}, "What am I looking at?"), ...paragraphs.map((text) => make("p", { className: "quiet" }, text)));

const showLikely = async () => {
  likely.data = chosen.turn.seen;
  likely.tell(chosen.position);
  return [lead("For every place in the text the model gives each token that it knows a probability. These are the ten likeliest for the chosen place. Pick another one, and the model continues from there."),
    likely.side,
    more("A token is a piece of text, often a word together with the space before it. The model reads and writes nothing else.",
      "One of the tokens is picked at random, by these probabilities, as the settings under “Sampling” leave them. A low temperature makes the likely tokens likelier, at 0 the likeliest is always taken; top-k, top-p and min-p cut the unlikely ones off.")];
};

const showAttention = async () => {
  const { position } = chosen, seen = await askJson("/inspect", { prompt: part(chosen), first: position, top: 0, attention: true });
  seen.off = off;
  attention.show(seen, position);
  showSwitches();
  return [lead("When the model reads the chosen token, each of its attention heads looks back at the text and takes in information from some of the tokens. The stronger a token's colour, the more comes from it. Choose another token, here or in the text, to see what that one attends to."),
    ...(facts.chat ? [make("p", { className: "quiet" }, "The model reads more than the chat shows: its template puts markers around every message, and often instructions before the first.")] : []),
    attention.element, switches,
    make("div", { className: "computed" }, make("h3", {}, "How it is computed"),
      make("p", { className: "quiet" }, "By two kernels, attention_scores and softmax_inplace: what you see comes from them, as they stand here."),
      ...readings(facts, Object.keys(facts.sources), false)),
    more("A head compares the token's query with the key of every token up to it, and turns the scores into weights that add up to 100 %. Different heads look for different things: the word before, the subject of the sentence, an earlier place where the same word stood.",
      "Many heads look mostly at the very first token. That is how a head says that it has nothing to add here.")];
};

// The chosen token's layers are there at once; those of a long text take a while, and follow.
const fillLens = async (turn, from, look) => {
  const { seen } = turn, whole = await look(all(turn), from);
  if (turn.seen !== seen) return;
  turn.lens = whole;
  if (tab === LAYERS && chosen.turn === turn) lens.show(whole, Math.max(chosen.position, from), from);
};

const showLens = async () => {
  const { turn } = chosen, from = Math.max(first(turn) - 1, 0), position = Math.max(chosen.position, from);
  const look = (ids, first) => askJson("/inspect", { prompt: ids, first, top: 0, lens: 1 });
  lens.show(turn.lens || await look(all(turn).slice(0, position + 1), position), position, from);
  if (!turn.lens) fillLens(turn, from, look).catch(fail);
  return [lead("The text passes through the layers one after the other. Here you see what the model would predict if it had to answer after each of them, before any sampling."),
    lens.element,
    more("Move the slider: below each token stands the one that the model would put next at that depth, coloured by how sure it is. Early layers mostly guess; the answer takes shape in the later ones.",
      "The model's last step, which turns a vector into probabilities, normally sees only what the last layer has made. Here it is applied to every layer. This is known as the logit lens.")];
};

const has = (list, item) => list.some((other) => String(other) === String(item));

const flip = (list, item) => {
  const at = list.findIndex((other) => String(other) === String(item));
  if (at < 0) list.push(item);
  else list.splice(at, 1);
  if (attention.data) attention.select(attention.position);
  showSwitches();
};

// Under “Attention”, for the head that is shown.
const showSwitches = () => {
  const toggle = (list, item, label) => {
    const button = make("button", { type: "button", className: "button", "aria-pressed": String(has(list, item)) }, label);
    button.addEventListener("click", () => flip(list, item));
    return button;
  };
  const { layer, head } = attention;
  switches.replaceChildren(toggle(off.heads, [layer, head], "Switch off this head"), toggle(off.mlps, layer, `Switch off the MLP of layer ${layer}`));
};

// All of them: a row for each layer, a button for each head and for the MLP.
const switchTable = (again) => {
  const cell = (list, item, label, text) => {
    const button = make("button", { type: "button", className: "switch", "aria-pressed": String(has(list, item)), "aria-label": label }, text);
    button.addEventListener("click", () => { flip(list, item); again(label); });
    return make("td", {}, button);
  };
  const numbers = (count) => [...Array(count).keys()], heads = numbers(facts.heads);
  const rows = numbers(facts.layers).map((l) => make("tr", {}, make("th", { scope: "row" }, `layer ${l}`),
    ...heads.map((h) => cell(off.heads, [l, h], `head ${h} of layer ${l} off`, String(h))), cell(off.mlps, l, `MLP of layer ${l} off`, "MLP")));
  const element = make("div", { className: "heads switches" }, make("table", { "aria-label": "switches of heads and MLPs" }, make("thead", {}, make("tr", {}, make("td"), make("th", { scope: "colgroup", colSpan: facts.heads }, "attention heads"), make("td"))), make("tbody", {}, ...rows)));
  rove(element, ".switch", () => facts.heads + 1)();
  return element;
};

// Greedily, a token at a time: what the text would be without the parts that are off.
const ANSWER = 24;
const writeWithout = async (ids, out, signal) => {
  for (let i = 0; i < ANSWER && !signal.aborted; i++) {
    const seen = await askJson("/inspect", { prompt: ids, first: ids.length - 1, top: 1, heads_off: off.heads, mlps_off: off.mlps }, signal);
    const [[token]] = seen.top.slice(-1);
    if (facts.ends.includes(token.id)) return;
    ids = [...ids, token.id];
    out.append(token.text);
  }
  out.append(" …");
};

// Both answers, one below the other.
const compareAnswers = async (ids, out, signal) => {
  const place = (name, kind) => {
    const text = make("dd", { className: "tokens" });
    out.append(make("dt", { className: "quiet" }, make("span", { className: `key ${kind}` }, name)), text);
    return text;
  };
  out.replaceChildren();
  const on = place("all on", ""), without = place("parts off", "bytes");
  const { choices: [{ text, finish_reason }] } = await askJson("/v1/completions", { prompt: ids, max_tokens: ANSWER, temperature: 0 }, signal);
  on.append(text, finish_reason === "length" ? " …" : "");
  await writeWithout(ids, without, signal);
};

// The likeliest of both, and what each gives them; of what is not among the 20 only that it is less likely than those.
const comparison = (before, after) => {
  const find = (list, { id }) => list.find((token) => token.id === id);
  const less = (p) => (p < 0.0001 ? percent(p) : `< ${percent(p)}`), pick = (list) => list.slice(0, 7), tokens = [...pick(before), ...pick(after).filter((token) => !find(pick(before), token))].slice(0, 10);
  const cell = (list, token, kind) => {
    const found = find(list, token), p = found ? probability(found) : 0;
    const element = make("span", { className: `meter ${kind}` }, make("span", {}, found ? percent(p) : less(probability(list.at(-1)))));
    element.style.setProperty("--share", p);
    return make("td", {}, element);
  };
  const head = make("tr", {}, make("th", { scope: "col" }, "token"), make("th", { scope: "col" }, make("span", { className: "key" }, "all on")), make("th", { scope: "col" }, make("span", { className: "key bytes" }, "parts off")));
  return make("table", { className: "compare" }, make("thead", {}, head), make("tbody", {}, ...tokens.map((token) =>
    make("tr", {}, make("th", { scope: "row" }, quoted(token.text)), cell(before, token, "seconds"), cell(after, token, "bytes")))));
};

const showWithout = async () => {
  const { turn, position } = chosen, ids = all(turn).slice(0, Math.max(position, 1)), any = off.heads.length + off.mlps.length;
  const result = make("div", { className: "result" }), answers = make("dl", { className: "answers", "aria-live": "polite" });
  if (any) {
    const seen = await askJson("/inspect", { prompt: ids, first: ids.length - 1, top: 20, heads_off: off.heads, mlps_off: off.mlps });
    const go = make("button", { type: "button", className: "button" }, "Continue both ways"), on = make("button", { type: "button", className: "button" }, "Switch everything on");
    go.addEventListener("click", () => { work = new AbortController(); compareAnswers(ids, answers, work.signal).catch(fail); });
    on.addEventListener("click", () => { if (work) work.abort(); off.heads.length = off.mlps.length = 0; showTab(); });
    const known = turn.seen.top[ids.length - 1];
    const before = known && known.length ? known : (await askJson("/inspect", { prompt: ids, first: ids.length - 1, top: 20 })).top.at(-1);
    const place = turn.seen.tokens[ids.length] || turn.seen.tokens.at(-1);
    result.append(make("h3", {}, `Predictions for the place of ${quoted(place.text)}`), comparison(before, seen.top.at(-1)),
      make("p", { className: "quiet" }, "As the model gives them, before any sampling."), make("div", { className: "chips" }, go, on), answers);
  } else result.append(make("p", { className: "quiet" }, "Everything is on. Switch off a head, by its number, or an MLP, and both predictions appear here side by side."));
  const again = async (label) => {
    await showTab();
    const [button] = [...$("panel").querySelectorAll(".switch")].filter((other) => other.getAttribute("aria-label") === label);
    if (button) button.focus();
  };
  return [lead("Switch parts of the model off and see how its prediction for the chosen place changes. The part that changes it most did most of the work."),
    make("div", { className: "both" }, switchTable(again), result),
    more("A layer has two blocks. Attention, made of heads, brings in information from other tokens; the MLP then works on each token by itself. A part that is off adds nothing, and all others go on as usual.")];
};

const showKernels = async () => {
  const plan = await askJson("/inspect/kernels", chosen && { prompt: part(chosen) });
  kernels.show(plan, facts.layers);
  return [lead("To produce one token the computer runs these small programs, called kernels, from top to bottom. Choose one to read its source, exactly as it runs, and its documentation."),
    kernels.element,
    more("The bars were measured just now on this machine, each kernel by itself, the quickest of five times; back to back they take a little less. Every token needs all weights of the model, which have to be read from memory: so most of the time goes where most of the bytes are.",
      "The line on the left is the residual stream, a vector for each token that runs through all layers. Every block reads it and adds its result to it.")];
};

const TABS = [
  ["Probabilities", showLikely, true, "what else could stand in a place, and how likely it was"],
  ["Attention", showAttention, true, "which tokens before it the model looks at"],
  ["Layers", showLens, true, "how a prediction takes shape on its way through the model"],
  ["Switch off", showWithout, true, "what the model would say without some of its parts"],
  ["Kernels", showKernels, false, "what the computer does for a token, and how long it takes"],
];
const LAYERS = 2;
let tab = 0, shown = 0;

const waiting = () => [lead("The model is at work …")];
const welcome = () => [lead("Write something, or take one of the suggestions. You get the text in tokens, the pieces that the model reads and writes: words, parts of words, signs. Choose one of them to see:"), overview()];
const overview = () => make("dl", { className: "overview" }, ...TABS.flatMap(([name, , , about]) => [make("dt", {}, name), make("dd", { className: "quiet" }, about)]));

// What is shown again keeps the focus.
const replacePanel = (content) => {
  const focused = document.activeElement;
  $("panel").replaceChildren(...content);
  if ($("panel").contains(focused)) focused.focus();
};

const showTab = async () => {
  const [name, show, needs] = TABS[tab], turn = ++shown;
  [...$("tabs").children].forEach((button, i) => {
    button.setAttribute("aria-selected", String(i === tab));
    button.tabIndex = i === tab ? 0 : -1;
  });
  $("panel").setAttribute("aria-labelledby", `tab-${tab}`);
  $("panel").setAttribute("aria-busy", "true");
  try {
    const content = chosen || !needs ? await show() : talk.turns.length ? waiting() : welcome();
    if (turn === shown) replacePanel(content);
  } catch (error) {
    if (turn === shown) $("panel").replaceChildren(make("p", { className: "error", role: "alert" }, error.message));
  }
  if (turn === shown) $("panel").setAttribute("aria-busy", "false");
};
