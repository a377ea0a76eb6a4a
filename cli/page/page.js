
// --- the server ---

const $ = (id) => document.getElementById(id);

const askKey = () => new Promise((resolve) => {
  const dialog = $("key");
  dialog.addEventListener("close", () => resolve($("key-text").value), { once: true });
  dialog.showModal();
});

let key = sessionStorage.getItem("metal-llm key");

const ask = async (path, body, signal) => {
  const headers = { ...(body && { "Content-Type": "application/json" }), ...(key && { Authorization: `Bearer ${key}` }) };
  const reply = await fetch(path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body), signal });
  if (reply.status === 401) {
    key = await askKey();
    sessionStorage.setItem("metal-llm key", key);
    return ask(path, body, signal);
  }
  if (reply.ok) return reply;
  const text = await reply.json().then((json) => json.error.message, () => `the server answers ${reply.status}`);
  throw new Error(text);
};

const askJson = async (...request) => (await ask(...request)).json();

// The events of a stream, each as JSON.
async function* events(reply) {
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (text + value).split("\n");
    text = lines.pop();
    for (const line of lines) {
      if (!line.startsWith("data: ") || line === "data: [DONE]") continue;
      const event = JSON.parse(line.slice(6));
      if (event.error) throw new Error(event.error.message);
      yield event;
    }
  }
}

// --- samplers ---

const SLIDERS = [
  { name: "temperature", label: "temperature", least: 0, most: 2, step: 0.05, value: 0.8 },
  { name: "top_k", label: "top-k (0: all)", least: 0, most: 100, step: 1, value: 0 },
  { name: "top_p", label: "top-p", least: 0.05, most: 1, step: 0.05, value: 1 },
  { name: "min_p", label: "min-p", least: 0, most: 0.5, step: 0.01, value: 0.05 },
  { name: "max_tokens", label: "tokens at most", least: 1, most: 400, step: 1, value: 120 },
];
const drawing = Object.fromEntries(SLIDERS.map(({ name, value }) => [name, value]));

// What samplers leave of probabilities, in the server's order: temperature, top-k, top-p, min-p. `likeliest` is a list
// of tokens from the likeliest on; what is behind them is taken to be spread evenly.
const drawnShares = (likeliest, token, { temperature, top_k, top_p, min_p }, V) => {
  const ps = likeliest.map(probability), rest = Math.max(0, 1 - ps.reduce((a, b) => a + b, 0)), others = Math.max(1, V - ps.length);
  const at = likeliest.findIndex(({ id }) => id === token.id);
  const own = token.logprob === null ? 0 : probability(token);
  if (!ps.length) return { likeliest: [], token: own };
  if (temperature === 0) return { likeliest: ps.map((_, i) => Number(i === 0)), token: Number(at === 0) };
  const hot = (p) => p ** (1 / temperature);
  let kept = ps.map(hot), tail = top_k && top_k <= ps.length ? 0 : others * hot(rest / others), outside = hot(own);
  const whole = kept.reduce((a, b) => a + b, 0) + tail;
  kept = kept.map((w, i) => (top_k && i >= top_k ? 0 : w / whole));
  outside /= whole;
  let sum = 0;
  kept = kept.map((w) => { const keeps = sum < top_p; sum += w; return keeps ? w : 0; });
  if (sum >= top_p && top_p < 1) tail = 0;
  kept = kept.map((w) => (w >= min_p * kept[0] ? w : 0));
  if (!tail || outside < min_p * kept[0]) outside = 0;
  const left = kept.reduce((a, b) => a + b, 0) + (min_p ? 0 : tail / whole);
  return { likeliest: kept.map((w) => w / left), token: at < 0 ? outside / left : kept[at] / left };
};

// --- what is kept: in this browser alone ---

const PLACE = "metal-llm conversations";
const stored = () => JSON.parse(localStorage.getItem(PLACE) || "[]");
const store = (list) => localStorage.setItem(PLACE, JSON.stringify(list.slice(0, 50)));

// --- the page ---

let facts, talk, chosen, work; // of the server; the conversation; the turn that is looked into, with a position; what can be stopped
const tell = (text) => ($("status").textContent = text);
const fail = (error) => {
  if (error.name === "AbortError") return tell("stopped");
  tell("");
  $("turns").append(make("p", { className: "error", role: "alert" }, error.message));
};

const fresh = () => ({ id: Date.now(), model: facts.model, turns: [] });
const save = () => {
  if (!talk.turns.length) return;
  const plain = { ...talk, turns: talk.turns.map(({ role, content, prompt, ids }) => ({ role, content, prompt, ids })) };
  store([plain, ...stored().filter(({ id }) => id !== talk.id)]);
  showKept();
};
const showKept = () => {
  const mine = stored().filter(({ model }) => model === facts.model);
  $("kept").replaceChildren(make("option", { value: "" }, mine.length ? "kept here" : "nothing kept"),
    ...mine.map(({ id, turns }) => make("option", { value: id, selected: id === talk.id }, turns[0].content.slice(0, 40))));
};

// A turn of the model: `prompt` and `ids` are tokens, `seen` what /inspect says of both.
const first = (turn) => (facts.chat ? turn.prompt.length : 0);
const all = (turn) => [...turn.prompt, ...turn.ids];

const showTurns = () => {
  $("turns").replaceChildren(...talk.turns.map((turn) => turn.element || (turn.element = elementOf(turn))));
  $("turns").scrollTop = $("turns").scrollHeight;
};

const elementOf = (turn) => {
  if (turn.role === "user") return make("div", { className: "turn user" }, make("h3", {}, "You"), make("p", {}, turn.content));
  turn.body = make("div", { className: "raw" }, turn.content);
  return make("div", { className: "turn" }, make("h3", {}, facts.chat ? facts.model : "The text"), turn.body);
};

// From then on its tokens are coloured, and can be chosen.
const lookAt = async (turn) => {
  const ids = all(turn), from = Math.max(0, first(turn) - 1);
  turn.seen = await askJson("/inspect", { prompt: ids, first: from, top: 20 });
  turn.tokens = new Tokens({
    onSelect: (position) => choose(turn, position),
    shares: (likeliest, token) => drawnShares(likeliest, token, drawing, facts.vocabulary),
  });
  turn.tokens.show(turn.seen, ids.length - 1, first(turn));
  turn.body.className = "";
  turn.body.replaceChildren(turn.tokens.element);
  choose(turn, ids.length - 1);
};

const choose = (turn, position) => {
  talk.turns.forEach((other) => other.element.classList.toggle("chosen", other === turn));
  chosen = { turn, position };
  $("hint").textContent = `${quoted(turn.seen.tokens[position].text)}, token ${position}`;
  showTab();
};

// --- writing ---

const busy = (is) => {
  $("send").disabled = is;
  $("stop").disabled = !is;
};

const write = async (turn) => {
  work = new AbortController();
  busy(true);
  tell("writing …");
  try {
    const { max_tokens, ...samplers } = drawing;
    const reply = await ask("/v1/completions", { prompt: all(turn), stream: true, return_token_ids: true, max_tokens, ...samplers }, work.signal);
    for await (const { choices: [choice] } of events(reply)) {
      if (!choice) continue;
      turn.ids.push(...(choice.token_ids || []));
      turn.content += choice.text;
      turn.body.textContent = turn.content;
      $("turns").scrollTop = $("turns").scrollHeight;
    }
    tell("");
  } catch (error) {
    fail(error);
  }
  busy(false);
  save();
  if (turn.prompt.length + turn.ids.length) await lookAt(turn).catch(fail);
};

const textOf = async (ids) => (ids.length ? (await askJson("/detokenize", { tokens: ids })).prompt : "");

const say = async (text) => {
  if (facts.chat) talk.turns.push({ role: "user", content: text });
  const messages = talk.turns.map(({ role, content }) => ({ role, content }));
  const { tokens } = await askJson("/tokenize", facts.chat ? { messages } : { prompt: text });
  const turn = { role: "assistant", content: facts.chat ? "" : text, prompt: tokens, ids: [] };
  if (!facts.chat) talk.turns = [];
  talk.turns.push(turn);
  showTurns();
  await write(turn);
};

// Another token in a place of the answer: from there on it is written anew, and what came behind is gone.
const force = async (turn, position, token) => {
  const ids = [...all(turn).slice(0, position), token.id], cut = Math.min(turn.prompt.length, position);
  turn.prompt = ids.slice(0, cut);
  turn.ids = ids.slice(cut);
  talk.turns = talk.turns.slice(0, talk.turns.indexOf(turn) + 1);
  turn.content = await textOf(facts.chat ? turn.ids : ids);
  turn.body.className = "raw";
  turn.body.textContent = turn.content;
  showTurns();
  await write(turn);
};

// --- tabs ---

const off = { heads: [], mlps: [] };
const likely = new Tokens({
  shares: (likeliest, token) => drawnShares(likeliest, token, drawing, facts.vocabulary),
  onForce: (position, token) => force(chosen.turn, position, token).catch(fail),
});
const attention = new Attention({ onHead: () => showSwitches() });
const lens = new Lens({ onSelect: (position) => choose(chosen.turn, position) });
const switches = make("div", { className: "chips" });

const part = ({ turn, position }) => all(turn).slice(0, position + 1);

const showLikely = async () => {
  likely.data = chosen.turn.seen;
  likely.tell(chosen.position);
  return [legend(), make("p", { className: "quiet note" }, "Choose another token: it takes the place of this one, and the text goes on from there."), likely.side];
};

const showAttention = async () => {
  const { position } = chosen, seen = await askJson("/inspect", { prompt: part(chosen), first: position, top: 0, attention: true });
  seen.off = off;
  attention.show(seen, position);
  showSwitches();
  return [make("p", { className: "quiet note" }, "A square for each head: what this token takes from each before it, from left to right. Kernels: attention_scores, softmax_inplace."), attention.element, switches];
};

const showLens = async () => {
  const { turn, position } = chosen, from = Math.max(first(turn) - 1, 0);
  const seen = await askJson("/inspect", { prompt: all(turn), first: from, top: 0, lens: 3 });
  lens.show(seen, Math.max(position, from), from);
  return [make("p", { className: "quiet note" }, "The output's norm and matrix on what the layers have come to. Below each token: the one that this layer would put next."), lens.element];
};

const flip = (list, item) => {
  const at = list.findIndex((other) => String(other) === String(item));
  if (at < 0) list.push(item);
  else list.splice(at, 1);
  attention.data && attention.buttons && attention.select(attention.position);
  showSwitches();
};

const showSwitches = () => {
  const toggle = (list, item, label) => {
    const is = list.some((other) => String(other) === String(item));
    const button = make("button", { type: "button", className: "button", "aria-pressed": String(is) }, `${label} off`);
    button.addEventListener("click", () => flip(list, item));
    return button;
  };
  const { layer, head } = attention;
  switches.replaceChildren(toggle(off.heads, [layer, head], `head ${head} of layer ${layer}`), toggle(off.mlps, layer, `the MLP of layer ${layer}`));
};

// Greedily, a token at a time: what the text would be without the parts that are off.
const writeWithout = async (ids, out, signal) => {
  for (let i = 0; i < 24 && !signal.aborted; i++) {
    const seen = await askJson("/inspect", { prompt: ids, first: ids.length - 1, top: 1, heads_off: off.heads, mlps_off: off.mlps }, signal);
    const [[token]] = seen.top.slice(-1);
    ids = [...ids, token.id];
    out.append(token.text);
  }
};

const showWithout = async () => {
  const { turn, position } = chosen, names = [...off.heads.map(([l, h]) => [off.heads, [l, h], `head ${h} of layer ${l}`]), ...off.mlps.map((l) => [off.mlps, l, `the MLP of layer ${l}`])];
  const chips = make("div", { className: "chips" }, ...names.map(([list, item, name]) => {
    const button = make("button", { type: "button", className: "button", "aria-label": `${name}: switch on again` }, `${name} ✕`);
    button.addEventListener("click", () => { flip(list, item); showTab(); });
    return button;
  }));
  const layer = make("select", { id: "mlp" }, ...[...Array(facts.layers).keys()].map((l) => make("option", { value: l }, `layer ${l}`)));
  const add = make("button", { type: "button", className: "button" }, "MLP off");
  add.addEventListener("click", () => { flip(off.mlps, Number(layer.value)); showTab(); });
  const chooser = make("div", { className: "row" }, make("label", { htmlFor: "mlp" }, "The MLP of"), layer, add);
  if (!names.length) return [make("p", { className: "note" }, "Nothing is switched off. Choose an MLP here, or a head under “Attention”."), chooser];
  const ids = all(turn).slice(0, Math.max(position, 1)), seen = await askJson("/inspect", { prompt: ids, first: ids.length - 1, top: 10, heads_off: off.heads, mlps_off: off.mlps });
  const list = (title, tokens) => make("div", {}, make("h3", {}, title), make("ol", { className: "bars" }, ...tokens.map((token) => make("li", {}, bar(token)))));
  const before = turn.seen.top[ids.length - 1] || [], text = make("p", { className: "note tokens", role: "status" });
  const go = make("button", { type: "button", className: "button" }, "Write on without it");
  go.addEventListener("click", () => { text.replaceChildren(); work = new AbortController(); writeWithout(ids, text, work.signal).catch(fail); });
  return [chips, chooser, make("div", { className: "both" }, list("The model as it is", before.slice(0, 10)), list("without", seen.top.at(-1))), make("div", { className: "row note" }, go), text];
};

const showKernels = async () => {
  const { why, steps, sources } = await askJson("/inspect/kernels");
  const list = make("ol", { className: "steps" }, ...steps.map(({ step, shape, kernel, file, why: reason, calls }) => {
    const source = make("pre", { tabIndex: 0, hidden: true, "aria-label": file }, sources[file] || "the vendor's matrix library");
    const button = make("button", { type: "button", className: "step", "aria-expanded": "false" }, make("span", {}, step), make("span", {}, kernel),
      make("span", {}, `× ${calls}`), make("span", { className: "quiet" }, [reason, shape].filter(Boolean).join(" · ")));
    button.addEventListener("click", () => { source.hidden = !source.hidden; button.setAttribute("aria-expanded", String(!source.hidden)); });
    return make("li", {}, button, source);
  }));
  return [make("p", { className: "quiet note" }, `One token, from its embedding to the next: ${why}. Choose a kernel to read it as it runs.`), list];
};

const TABS = [["Likeliest", showLikely, true], ["Attention", showAttention, true], ["Layers", showLens, true], ["Without", showWithout, true], ["Kernels", showKernels, false]];
let tab = 0, shown = 0;

const showTab = async () => {
  const [name, show, needs] = TABS[tab], turn = ++shown;
  [...$("tabs").children].forEach((button, i) => {
    button.setAttribute("aria-selected", String(i === tab));
    button.tabIndex = i === tab ? 0 : -1;
  });
  $("panel").setAttribute("aria-labelledby", `tab-${tab}`);
  try {
    const content = needs && !chosen ? [make("p", { className: "quiet" }, "Nothing has been written yet.")] : await show();
    if (turn === shown) $("panel").replaceChildren(...content);
  } catch (error) {
    if (turn === shown) $("panel").replaceChildren(make("p", { className: "error", role: "alert" }, error.message));
  }
};

// --- begin ---

const begin = (kept) => {
  talk = kept || fresh();
  chosen = undefined;
  showTurns();
  showKept();
  showTab();
  $("hint").textContent = "Write something; then choose a token of the answer.";
  const last = talk.turns.at(-1);
  if (last && last.role === "assistant") lookAt(last).catch(fail);
};

const recolour = () => talk.turns.forEach((turn) => turn.tokens && turn.tokens.show(turn.seen, turn.tokens.selected, turn.tokens.from));

SLIDERS.forEach(({ name, label, least, most, step, value }) => {
  const input = make("input", { type: "range", id: name, min: least, max: most, step, value }), out = make("output", { htmlFor: name }, String(value));
  input.addEventListener("input", () => {
    drawing[name] = Number(input.value);
    out.value = input.value;
    recolour();
    if (tab === 0) showTab();
  });
  $("sliders").append(make("div", { className: "slider" }, make("label", { htmlFor: name }, label), out, input));
});

TABS.forEach(([name], i) => {
  const button = make("button", { type: "button", role: "tab", id: `tab-${i}`, "aria-controls": "panel" }, name);
  button.setAttribute("role", "tab");
  button.addEventListener("click", () => { tab = i; showTab(); });
  $("tabs").append(button);
});
rove($("tabs"), "[role='tab']");

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("say").value;
  if ((!text && facts.chat) || $("send").disabled) return;
  if (facts.chat) $("say").value = "";
  say(text).catch((error) => { busy(false); fail(error); });
});
$("say").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || !facts.chat) return;
  event.preventDefault();
  $("composer").requestSubmit();
});
$("stop").addEventListener("click", () => work && work.abort());
$("new").addEventListener("click", () => begin());
$("forget").addEventListener("click", () => { store(stored().filter(({ id }) => id !== talk.id)); begin(); });
$("kept").addEventListener("change", () => begin(stored().find(({ id }) => String(id) === $("kept").value)));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => attention.buttons && attention.select(attention.position));

const open = async () => {
  while ((await fetch("/health")).status === 503) {
    tell("the model is being loaded …");
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  tell("");
  facts = await askJson("/inspect");
  document.title = `${facts.model} · metal-llm`;
  $("about").textContent = `${facts.model} · ${facts.layers} layers of ${facts.heads} heads · ${facts.weights} · ${facts.device}`;
  $("talk-title").textContent = facts.chat ? "Chat" : "A text to continue";
  $("say-label").textContent = facts.chat ? "Message" : "How the text begins";
  $("say").placeholder = facts.chat ? "Say something. Enter sends, Shift and Enter begin a line." : "Once upon a time";
  $("send").textContent = facts.chat ? "Send" : "Continue";
  begin();
};
open().catch(fail);
