// The builder: what is typed is checked as it is typed. The server answers with the result, the graph and the messages
// at the fields, and nothing that is being typed is replaced.
const DELAY = 450;
let waiting = 0;
let isUnsaved = false;

const form = () => document.querySelector("[data-builder]");

function check() {
  const plan = form();
  if (!plan) return;
  htmx.ajax("POST", plan.dataset.checkUrl, { source: plan, target: plan, swap: "none" });
}

document.addEventListener("input", (event) => {
  if (!event.target.closest("[data-builder]")) return;
  clearTimeout(waiting);
  waiting = setTimeout(check, DELAY);
  isUnsaved = true;
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
  if (event.submitter?.value === "save") isUnsaved = false;
});

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
