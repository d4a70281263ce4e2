// The keyboard: j k f / g l a ?. Keys choose and show; none of them decides or changes anything.
const rows = () => [...document.querySelectorAll("[data-nav-item]")].filter((row) => row.offsetParent);
const isTyping = (element) => element.closest("input, textarea, select, [contenteditable], dialog[open]");

function choose(row) {
  if (!row) return;
  const link = row.matches("a") ? row : row.querySelector("a[href]");
  link.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
  if ("navClick" in row.dataset) link.click();
}

function current(all) {
  const focused = all.findIndex((row) => row.contains(document.activeElement));
  return focused >= 0 ? focused : all.findIndex((row) => row.querySelector("[aria-current]") || row.hasAttribute("aria-current"));
}

function move(by) {
  const all = rows();
  const at = current(all);
  choose(at < 0 ? all[0] : all[Math.min(all.length - 1, Math.max(0, at + by))]);
}

function nextFailure() {
  const all = rows();
  const turned = [...all.slice(current(all) + 1), ...all.slice(0, current(all) + 1)];
  choose(turned.find((row) => ["failed", "interrupted"].includes(row.dataset.state)));
}

function press(selector) {
  document.querySelector(selector)?.click();
}

function goToDecision() {
  const card = document.getElementById("decision") || document.querySelector("[data-decision-link]");
  card?.scrollIntoView({ block: "start" });
  const offered = [...(card?.querySelectorAll("a, button") || [])].find((one) => one.offsetParent);
  (card?.querySelector("textarea") || offered || card)?.focus({ preventScroll: true });
}

const KEYS = {
  j: () => move(1),
  k: () => move(-1),
  f: nextFailure,
  g: () => press('[data-tab="graph"]'),
  l: () => press("[data-live-toggle]"),
  a: goToDecision,
  "/": () => document.querySelector("[data-search]")?.focus(),
  "?": () => document.getElementById("keys-help").showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.key === "Escape" && isTyping(event.target)) event.target.blur();
  if (isTyping(event.target) || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key]();
});
