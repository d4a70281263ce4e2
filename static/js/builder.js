// The builder: what is typed is checked as it is typed. The server answers with the result, the graph and the messages
// at the fields, and nothing that is being typed is replaced.
const DELAY = 450;
let waiting = 0;
let isUnsaved = false;

const form = () => document.querySelector("[data-builder]");

function check() {
  const plan = form();
  if (!plan || plan.getAttribute("aria-busy") === "true") return;
  htmx.ajax("POST", plan.dataset.checkUrl, { source: plan, target: plan, swap: "none" });
}

document.addEventListener("input", (event) => {
  if (!event.target.closest("[data-builder]")) return;
  clearTimeout(waiting);
  waiting = setTimeout(check, DELAY);
  isUnsaved = true;
  const title = /^steps-\d+-name$/.test(event.target.name) && event.target.closest("[data-step-card]").querySelector("[data-card-title]");
  if (title) title.textContent = event.target.value || "Unnamed step";
});

// A tab in the text view indents by two spaces; Escape, then Tab, leaves the field.
let leaving = false;
document.addEventListener("keydown", (event) => {
  if (!event.target.matches("[data-code]")) return;
  if (event.key === "Escape") leaving = true;
  if (event.key !== "Tab" || leaving || event.shiftKey) return;
  event.preventDefault();
  document.execCommand("insertText", false, "  ");
});
document.addEventListener("focusout", () => { leaving = false; });

// What is not saved is not lost by a slip.
addEventListener("beforeunload", (event) => {
  if (isUnsaved) event.preventDefault();
});
document.addEventListener("submit", (event) => {
  if (event.target.matches("[data-builder]")) isUnsaved = event.submitter?.value !== "save";
});
document.addEventListener("htmx:afterRequest", (event) => {
  const plan = event.target.closest?.("[data-builder]");
  if (plan && !event.detail.successful) isUnsaved = true;
});

// The messages stand at their fields, too.
function placeFaults() {
  document.querySelectorAll("[data-builder] [data-fault]").forEach((fault) => fault.remove());
  document.querySelectorAll("[data-builder] [aria-invalid]").forEach((field) => field.removeAttribute("aria-invalid"));
  document.querySelectorAll(".problem-link").forEach((link) => {
    const field = document.getElementById(link.hash.slice(1));
    const box = field?.closest(".field");
    if (!box) return;
    field.setAttribute("aria-invalid", "true");
    const fault = document.createElement("p");
    fault.className = "error";
    fault.dataset.fault = "";
    fault.append(link.querySelector("svg").cloneNode(true), link.dataset.message);
    box.append(fault);
  });
}
document.addEventListener("htmx:oobAfterSwap", (event) => {
  if (event.detail.target.id === "plan-result") placeFaults();
});

// Which cards stand open goes with the form, so that a card stays open wherever its step moves.
document.addEventListener("toggle", (event) => {
  const card = event.target.parentElement;
  if (card?.matches?.("[data-step-card]")) card.querySelector("[data-card-open]").value = event.target.open ? "yes" : "";
}, true);

// Dragging is the arrow buttons by other means.
let dragged = null;
const cardAt = (event) => event.target.closest?.("[data-step-card]");
document.addEventListener("dragstart", (event) => {
  if (!event.target.matches?.("[data-grip]")) return;
  dragged = cardAt(event);
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", dragged.dataset.stepCard);
  event.dataTransfer.setDragImage(dragged, 12, 12);
});
document.addEventListener("dragover", (event) => {
  const card = dragged && cardAt(event);
  if (!card) return;
  event.preventDefault();
  document.querySelectorAll("[data-drop]").forEach((other) => other !== card && delete other.dataset.drop);
  card.dataset.drop = Number(card.dataset.stepCard) > Number(dragged.dataset.stepCard) ? "after" : "before";
});
document.addEventListener("drop", (event) => {
  const card = dragged && cardAt(event);
  if (!card) return;
  event.preventDefault();
  if (card !== dragged) press(`move:${dragged.dataset.stepCard}:${card.dataset.stepCard}`);
});
document.addEventListener("dragend", () => {
  dragged = null;
  document.querySelectorAll("[data-drop]").forEach((card) => delete card.dataset.drop);
});

function press(wish) {
  const button = document.createElement("button");
  Object.assign(button, { type: "submit", name: "do", value: wish, hidden: true });
  form().append(button);
  button.click();
  button.remove();
}

// A message leads to its field, and opens what hides it.
document.addEventListener("click", (event) => {
  const link = event.target.closest(".problem-link");
  if (!link) return;
  const field = document.getElementById(link.hash.slice(1));
  if (!field) return;
  event.preventDefault();
  for (let fold = field.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  field.focus();
  field.scrollIntoView({ block: "center" });
});
