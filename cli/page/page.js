// --- begin ---

const begin = (kept) => {
  if (work) work.abort();
  talk = kept || fresh();
  chosen = undefined;
  showTurns();
  showKept();
  showTab();
  $("hint").textContent = "";
  lookAtAll(talk).catch(fail);
};

const recolour = () => talk.turns.forEach((turn) => turn.tokens && turn.tokens.show(turn.seen, turn.tokens.selected, turn.tokens.from));

SLIDERS.forEach(({ name, label, least, most, step, value, more }) => {
  const input = make("input", { type: "range", id: name, min: least, max: most, step, value }), out = make("output", { htmlFor: name }, String(value));
  input.addEventListener("input", () => {
    drawing[name] = Number(input.value);
    out.value = input.value;
    recolour();
    if (tab === 0) showTab();
  });
  $(more ? "more-sliders" : "sliders").append(make("div", { className: "slider" }, make("label", { htmlFor: name }, label), out, input));
});

TABS.forEach(([name], i) => {
  const button = make("button", { type: "button", role: "tab", id: `tab-${i}`, "aria-controls": "panel" }, name);
  button.setAttribute("role", "tab");
  button.addEventListener("click", () => { tab = i; showTab().then(() => ($("panel").scrollTop = 0)); });
  $("tabs").append(button);
});
rove($("tabs"), "[role='tab']");

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("say").value;
  if ((!text && facts.chat) || $("send").disabled) return;
  $("say").value = "";
  (facts.chat ? chat : continueText)(text).catch((error) => { busy(false); fail(error); });
});
$("say").addEventListener("keydown", (event) => {
  const sends = event.ctrlKey || event.metaKey || (facts.chat && !event.shiftKey);
  if (event.key !== "Enter" || event.isComposing || !sends) return;
  event.preventDefault();
  $("composer").requestSubmit();
});
$("stop").addEventListener("click", () => work && work.abort());
$("new").addEventListener("click", () => { save(); begin(); });
$("forget").addEventListener("click", () => {
  if (!confirm("Delete this conversation from the browser?")) return;
  store(stored().filter(({ id }) => id !== talk.id));
  begin();
});
$("kept").addEventListener("change", () => {
  const wanted = $("kept").value;
  save();
  begin(stored().find(({ id }) => String(id) === wanted));
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => attention.buttons && attention.select(attention.position));

const open = async () => {
  while ((await fetch("/health")).status === 503) {
    tell("the model is being loaded …");
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  tell("");
  facts = await askJson("/inspect");
  document.title = `${facts.model} · metal-llm`;
  $("about").textContent = `${facts.model} · ${facts.layers} layers of ${facts.heads} heads · weights ${facts.weights} · ${facts.device}`;
  $("talk-title").textContent = facts.chat ? "Chat" : "Continue a text";
  $("say-label").textContent = facts.chat ? "Message" : "What to add to the text";
  $("say").placeholder = facts.chat ? "Write a message. Enter sends it." : "How does the text begin? Ctrl+Enter continues it.";
  $("send").textContent = facts.chat ? "Send" : "Continue";
  $("legend").append(...(facts.chat ? [] : [make("span", { className: "legend" }, make("span", {}, make("b", {}, "bold"), ": yours"))]), legend());
  $("sampling").open = isWide() && matchMedia("(min-height: 52rem)").matches;
  begin();
};
open().catch(fail);
