// --- samplers ---

const SLIDERS = [
  { name: "temperature", label: "temperature", least: 0, most: 2, step: 0.05, value: 0.8 },
  { name: "top_k", label: "top-k (0: off)", least: 0, most: 100, step: 1, value: 0 },
  { name: "top_p", label: "top-p", least: 0.05, most: 1, step: 0.05, value: 1 },
  { name: "min_p", label: "min-p", least: 0, most: 0.5, step: 0.01, value: 0.05 },
  { name: "max_tokens", label: "length limit", least: 1, most: 400, step: 1, value: 120 },
  { name: "typical_p", label: "typical-p", least: 0.05, most: 1, step: 0.05, value: 1, more: true },
  { name: "repetition_penalty", label: "repetition penalty", least: 1, most: 2, step: 0.05, value: 1, more: true },
  { name: "presence_penalty", label: "presence penalty", least: -2, most: 2, step: 0.1, value: 0, more: true },
  { name: "frequency_penalty", label: "frequency penalty", least: -2, most: 2, step: 0.1, value: 0, more: true },
];
const drawing = Object.fromEntries(SLIDERS.map(({ name, value }) => [name, value]));

// Of what is to be drawn: tokens with their weights, and all others as one item with a count. The weights' sum is not 1.
const total = (items) => items.reduce((sum, { weight, count }) => sum + weight * count, 0);
const heaviestFirst = (items) => items.sort((a, b) => b.weight - a.weight);

// As many from the first on as make up `share` of the whole.
const making = (items, share) => {
  const whole = total(items);
  let sum = 0;
  return items.filter(({ weight, count }) => {
    const isWanted = sum < share * whole;
    sum += weight * count;
    return isWanted;
  });
};

// What has come before is less likely: e to its changed logit, where `logSum` makes of logprobs logits.
const penalised = (token, { repetition_penalty, presence_penalty, frequency_penalty }, before, logSum) => {
  if (repetition_penalty === 1 && !presence_penalty && !frequency_penalty) return probability(token);
  const n = before.filter((id) => id === token.id).length, logit = token.logprob + logSum;
  if (!n) return probability(token);
  return Math.exp((logit > 0 ? logit / repetition_penalty : logit * repetition_penalty) - presence_penalty - n * frequency_penalty - logSum);
};

// The least and most surprising go: what stays is about as surprising as is to be expected.
const typicalOf = (items, share) => {
  const whole = total(items), surprise = ({ weight }) => -Math.log(weight / whole);
  const some = items.filter(({ weight }) => weight > 0), mean = some.reduce((sum, item) => sum + item.weight * item.count * surprise(item), 0) / whole;
  const distance = (item) => Math.abs(surprise(item) - mean);
  return heaviestFirst(making(some.sort((a, b) => distance(a) - distance(b)), share));
};

// What samplers leave of probabilities, in the server's order. `likeliest` is a list of tokens from the likeliest on;
// what is after them is taken to be spread evenly. `before` has the ids of the text up to there.
const drawnShares = (likeliest, token, drawing, V, before, logSum) => {
  const { temperature, top_k, typical_p, top_p, min_p } = drawing;
  if (!likeliest.length) return { likeliest: [], token: token.logprob === null ? 0 : probability(token) };
  const known = token.logprob === null || likeliest.some(({ id }) => id === token.id) ? likeliest : [...likeliest, token];
  const rest = Math.max(0, 1 - known.reduce((sum, one) => sum + probability(one), 0)), others = Math.max(0, V - known.length);
  const weigh = (one) => ({ id: one.id, weight: penalised(one, drawing, before, logSum), count: 1 });
  let kept = heaviestFirst([...known.map(weigh), ...(others ? [{ weight: rest / others, count: others }] : [])]);
  if (temperature === 0) kept = kept.filter(({ id }) => id !== undefined).slice(0, 1);
  else kept.forEach((item) => (item.weight **= 1 / temperature));
  let room = top_k || V;
  kept = kept.map((item) => { const count = Math.min(item.count, room); room -= count; return { ...item, count }; }).filter(({ count }) => count);
  if (typical_p < 1) kept = typicalOf(kept, typical_p);
  if (top_p < 1) kept = making(kept, top_p);
  kept = kept.filter(({ weight }) => weight >= min_p * kept[0].weight);
  const whole = total(kept), shares = new Map(kept.map(({ id, weight }) => [id, weight / whole]));
  return { likeliest: likeliest.map(({ id }) => shares.get(id) || 0), token: shares.get(token.id) || 0 };
};
