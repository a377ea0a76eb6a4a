// --- Markdown, as far as the documentation of kernels has it; links become plain text: their targets are not here ---

const INLINE = /`([^`]+)`|\*\*(.+?)\*\*|\[((?:[^[\]]|\[[^\]]*\])+)\]\([^)]*\)/g;

const inline = (text) => {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    const [whole, code, bold, link] = match;
    parts.push(text.slice(end, match.index));
    end = match.index + whole.length;
    if (code) parts.push(make("code", {}, code));
    else if (bold) parts.push(make("strong", {}, ...inline(bold)));
    else parts.push(...inline(link));
  }
  return [...parts, text.slice(end)].filter((part) => part !== "");
};

const cells = (line) => line.replace(/^\||\|\s*$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));

const table = ([head, , ...rows]) => {
  const row = (line, tag) => make("tr", {}, ...cells(line).map((cell) => (tag === "th" && cell ? make("th", { scope: "col" }, ...inline(cell)) : make("td", {}, ...inline(cell)))));
  return make("div", { className: "wide", tabIndex: 0, role: "group", "aria-label": "table" }, make("table", {}, make("thead", {}, row(head, "th")), make("tbody", {}, ...rows.map((line) => row(line, "td")))));
};

const listing = (text) => make("pre", { tabIndex: 0, role: "group", "aria-label": "listing" }, text);

// Each kind of block: what its first line looks like, what the lines look like that belong to it, and what it becomes.
const BLOCKS = [
  [/^#+ /, null, ([line]) => make("h3", {}, ...inline(line.replace(/^#+ /, "")))],
  [/^ {4}/, /^( {4}|$)/, (lines) => listing(lines.map((line) => line.slice(4)).join("\n").trimEnd())],
  [/^\|/, /^\|/, table],
  [/^[-*] /, /^([-*] | {2})/, (lines) => make("ul", {}, ...lines.join("\n").split(/\n(?=[-*] )/).map((item) => make("li", {}, ...inline(item.slice(2)))))],
  [/./, /^(?!#|\||```| {4})./, (lines) => make("p", {}, ...inline(lines.join(" ")))],
];

const markdown = (text) => {
  const lines = text.split("\n"), blocks = [];
  const take = (belongs) => {
    const taken = [lines.shift()];
    while (belongs && lines.length && belongs.test(lines[0])) taken.push(lines.shift());
    return taken;
  };
  while (lines.length) {
    if (lines[0].startsWith("```")) {
      lines.shift();
      const end = lines.findIndex((line) => line.startsWith("```"));
      blocks.push(listing(lines.splice(0, end < 0 ? lines.length : end).join("\n")));
      lines.shift();
      continue;
    }
    const kind = BLOCKS.find(([first]) => first.test(lines[0]));
    if (kind) blocks.push(kind[2](take(kind[1])));
    else lines.shift();
  }
  return make("div", { className: "markdown" }, ...blocks);
};
