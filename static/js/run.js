// The run page: the address says what is chosen, and the page follows it.
const query = () => new URLSearchParams(location.search);

// Tab, filter and step live in the address together: a press on one keeps the others.
document.addEventListener("htmx:configRequest", (event) => {
  if (!event.target.closest("[data-merge-query]")) return;
  const wanted = new URL(event.detail.path, location.href);
  const merged = query();
  merged.delete("line");
  wanted.searchParams.forEach((value, name) => merged.set(name, value));
  event.detail.path = `${wanted.pathname}?${merged}`;
});

// Also whoever looks at another tab of the browser sees how it stands.
function nameTab() {
  const word = document.querySelector("#state-line h1 .word")?.textContent.trim();
  if (word) document.title = document.title.replace(/^[^·]+(?= ·)/, word);
}

function markChosen() {
  const chosen = query().get("step");
  document.querySelectorAll("[data-step] > a, [data-node]").forEach((link) => {
    const key = link.dataset.node || link.parentElement.dataset.step;
    if (key === chosen) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  });
  const panel = document.getElementById("panel");
  const body = document.getElementById("run-body");
  if (body && panel) body.dataset.panel = panel.hidden ? "closed" : "open";
}

// The graph shows what the step rows say; it is laid out once and coloured here.
function colourGraph() {
  document.querySelectorAll("[data-node]").forEach((node) => {
    const row = document.querySelector(`.step-row[data-step="${node.dataset.node}"]`);
    if (!row || row.dataset.state === node.dataset.state) return;
    const mark = row.querySelector(".glyph");
    node.dataset.state = row.dataset.state;
    node.setAttribute("class", `node ${[...mark.classList].find((name) => name.startsWith("tone-"))}`);
    node.querySelector("use").setAttribute("href", mark.querySelector("use").getAttribute("href"));
    node.querySelector(".word").textContent = mark.title;
  });
}

function highlight(node, on) {
  document.querySelectorAll(".edge").forEach((edge) => {
    const near = on && [edge.dataset.source, edge.dataset.target].includes(node.dataset.node);
    edge.classList.toggle("near", Boolean(near));
  });
}
document.addEventListener("pointerover", (event) => {
  const node = event.target.closest?.("[data-node]");
  if (node) highlight(node, true);
});
document.addEventListener("pointerout", (event) => {
  const node = event.target.closest?.("[data-node]");
  if (node) highlight(node, false);
});

function filterSteps(text) {
  const words = text.trim().toLowerCase();
  document.querySelectorAll(".step-row").forEach((row) => {
    row.hidden = Boolean(words) && !row.textContent.toLowerCase().includes(words);
  });
}
document.addEventListener("input", (event) => {
  if (event.target.matches("[data-step-filter]")) filterSteps(event.target.value);
});

// Timeline and artifacts are drawn by the server again, at most every 1.5 s; rows and events come by the socket.
const DRAWN_AGAIN = ["timeline", "artifacts"];
let pending = 0;

function drawAgain(element) {
  const url = element?.dataset.refreshUrl;
  if (url) htmx.ajax("GET", url, { target: `#${element.id}`, select: `#${element.id}`, swap: "morph" });
}

function refresh(steps) {
  const view = document.getElementById("view");
  const panel = document.getElementById("panel");
  if (view && DRAWN_AGAIN.includes(view.dataset.tabShown)) drawAgain(view);
  if (panel && steps.has(panel.dataset.step) && !panel.querySelector("[data-log]")) drawAgain(panel);
}

let touched = new Set();
document.addEventListener("live:changed", (event) => {
  event.detail.steps.forEach((key) => touched.add(key));
  markChosen();
  nameTab();
  colourGraph();
  filterSteps(document.querySelector("[data-step-filter]")?.value || "");
  if (pending || !touched.size) return;
  pending = setTimeout(() => {
    const steps = touched;
    touched = new Set();
    pending = 0;
    refresh(steps);
  }, 1500);
});

// Bars grow between two events, too: what works often, what waits for a person now and then.
function grow(tone) {
  const view = document.getElementById("view");
  const isSeen = view?.dataset.tabShown === "timeline" && !document.hidden && document.documentElement.dataset.live === "live";
  if (isSeen && view.querySelector(`.gantt-row.${tone}`)) drawAgain(view);
}
setInterval(() => grow("tone-active"), 5000);
setInterval(() => grow("tone-warn"), 30000);

document.addEventListener("htmx:afterSettle", markChosen);
document.addEventListener("htmx:pushedIntoHistory", markChosen);

// The chosen row is brought into its list without moving the page.
const list = document.getElementById("steps-list");
const row = list?.querySelector("[aria-current]")?.parentElement;
if (row) list.scrollTop = row.offsetTop - list.clientHeight / 2;
markChosen();
