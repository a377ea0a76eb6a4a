// --- samplers ---

const SLIDERS = [
  { name: "temperature", label: "temperature", least: 0, most: 2, step: 0.05, value: 0.8 },
  { name: "top_k", label: "top-k (0: off)", least: 0, most: 100, step: 1, value: 0 },
  { name: "top_p", label: "top-p", least: 0.05, most: 1, step: 0.05, value: 1 },
  { name: "min_p", label: "min-p", least: 0, most: 0.5, step: 0.01, value: 0.05 },
  { name: "max_tokens", label: "length limit", least: 1, most: 400, step: 1, value: 120 },
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
