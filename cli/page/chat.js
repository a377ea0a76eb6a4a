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
  const plain = { ...talk, turns: talk.turns.map(({ role, content, prompt, ids, own }) => ({ role, content, prompt, ids, own })) };
  store([plain, ...stored().filter(({ id }) => id !== talk.id)]);
  showKept();
};
const showKept = () => {
  const mine = stored().filter(({ model }) => model === facts.model);
  const isSaved = mine.some(({ id }) => id === talk.id);
  $("forget").disabled = !isSaved;
  $("kept").disabled = !mine.length;
  $("kept").replaceChildren(make("option", { value: "", hidden: isSaved }, mine.length ? `Saved here: ${mine.length}` : "Nothing saved yet"),
    ...mine.map(({ id, turns }) => make("option", { value: id, selected: id === talk.id }, turns[0].content.slice(0, 40))));
};

// What the samplers leave of the likeliest tokens in a place of a turn, and of the one that stands there.
const sharesOf = (turn) => (likeliest, token, position) => {
  const before = turn.seen.tokens.slice(0, position).map(({ id }) => id);
  return drawnShares(likeliest, token, drawing, facts.vocabulary, before, turn.seen.log_sums[position - 1]);
};

const isWide = () => matchMedia("(min-width: 64rem)").matches;

// A turn of the model: `prompt` and `ids` are tokens, `seen` what /inspect says of both.
const first = (turn) => (facts.chat ? turn.prompt.length : 0);
const all = (turn) => [...turn.prompt, ...turn.ids];

const SUGGESTIONS = {
  chat: ["Why is the sky blue?", "How do I make a cup of tea?", "Write a short story about a fox."],
  text: ["Once upon a time there was a little fox who", "The old clock in the hall", "It had rained all week, and"],
};

const suggestions = () => make("div", { className: "suggestions" }, make("p", { className: "quiet" }, "For a start:"),
  ...SUGGESTIONS[facts.chat ? "chat" : "text"].map((text) => {
    const button = make("button", { type: "button", className: "button" }, text);
    button.addEventListener("click", () => { $("say").value = text; $("composer").requestSubmit(); });
    return button;
  }));

const toTheEnd = () => ($("turns").scrollTop = $("turns").scrollHeight);
const showTurns = () => {
  $("turns").replaceChildren(...(talk.turns.length ? talk.turns.map((turn) => turn.element || (turn.element = elementOf(turn))) : [suggestions()]));
  toTheEnd();
};

const elementOf = (turn) => {
  if (turn.role === "user") return make("div", { className: "turn user" }, make("h3", {}, "You"), make("p", {}, turn.content));
  turn.body = make("div", { className: "raw" }, turn.content);
  return make("div", { className: "turn" }, ...(facts.chat ? [make("h3", {}, facts.model)] : []), turn.body);
};

const showRaw = (turn) => {
  if (!turn.body) return;
  turn.body.className = "raw";
  turn.body.textContent = turn.content;
};

// From then on its tokens are coloured, and can be chosen.
const colour = async (turn) => {
  const ids = all(turn), from = Math.max(0, first(turn) - 1);
  turn.seen = await askJson("/inspect", { prompt: ids, first: from, top: 20 });
  turn.lens = null;
  turn.tokens = new Tokens({
    onSelect: (position) => { choose(turn, position); if (tab === 0 && isWide()) peek.hide(); },
    onLook: (position, button) => peek.show(turn, position, button),
    onLeave: () => peek.leave(),
    shares: sharesOf(turn),
    isOwn: (position) => (turn.own || []).some(([begin, end]) => begin <= position && position < end),
  });
  turn.tokens.show(turn.seen, -1, first(turn));
  turn.body.className = "";
  turn.body.replaceChildren(turn.tokens.element);
};

const lookAt = async (turn) => {
  await colour(turn);
  if (!talk.turns.includes(turn)) return;
  choose(turn, all(turn).length - 1);
  toTheEnd();
};

// The last answer first: it is the one that is chosen.
const lookAtAll = async (conversation) => {
  const [last, ...others] = conversation.turns.filter(({ role }) => role === "assistant").reverse();
  if (last) await lookAt(last);
  for (const turn of others) if (talk === conversation) await colour(turn);
};

const choose = (turn, position) => {
  talk.turns.forEach((other) => {
    other.element.classList.toggle("chosen", other === turn);
    if (other.tokens) other.tokens.mark(other === turn ? position : -1);
  });
  chosen = { turn, position };
  $("hint").textContent = `Chosen: ${quoted(turn.seen.tokens[position].text)}, token ${position + 1} of ${turn.seen.tokens.length}`;
  showTab();
};

// --- writing ---

const busy = (is) => {
  $("send").disabled = is;
  $("stop").disabled = !is;
};

const write = async (turn) => {
  work = new AbortController();
  chosen = undefined; // its place may be gone
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
      toTheEnd();
    }
    tell("");
  } catch (error) {
    fail(error);
  }
  busy(false);
  if (!talk.turns.includes(turn)) return; // another conversation has been opened
  save();
  if (turn.prompt.length + turn.ids.length) await lookAt(turn).catch(fail);
};

const textOf = async (ids) => (ids.length ? (await askJson("/detokenize", { tokens: ids })).prompt : "");

const chat = async (text) => {
  talk.turns.push({ role: "user", content: text });
  const messages = talk.turns.map(({ role, content }) => ({ role, content }));
  const { tokens } = await askJson("/tokenize", { messages });
  const turn = { role: "assistant", content: "", prompt: tokens, ids: [] };
  talk.turns.push(turn);
  showTurns();
  await write(turn);
};

// The one text grows: by what is added to it, and by what the model writes.
const continueText = async (text) => {
  const [old] = talk.turns, turn = old || { role: "assistant", content: "", prompt: [], ids: [] };
  const { tokens } = old && !text ? { tokens: [] } : await askJson("/tokenize", { prompt: text, add_special_tokens: !old });
  const before = all(turn), end = before.length + tokens.length;
  turn.own = [...(turn.own || []), [before.length, end]];
  turn.prompt = [...before, ...tokens];
  turn.ids = [];
  turn.content += text;
  talk.turns = [turn];
  showRaw(turn);
  showTurns();
  await write(turn);
};

// Another token in a place of the answer: from there on it is written anew, and what came after is gone.
const force = async (turn, position, token) => {
  const ids = [...all(turn).slice(0, position), token.id], cut = Math.min(turn.prompt.length, position);
  turn.prompt = ids.slice(0, cut);
  turn.ids = ids.slice(cut);
  turn.own = (turn.own || []).map(([begin, end]) => [begin, Math.min(end, position)]);
  talk.turns = talk.turns.slice(0, talk.turns.indexOf(turn) + 1);
  turn.content = await textOf(facts.chat ? turn.ids : ids);
  showRaw(turn);
  showTurns();
  await write(turn);
};
