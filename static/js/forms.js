// Forms: one press counts once, dangerous ones are confirmed, failures of the network are said.
const confirmDialog = document.getElementById("confirm");

function ask(form, button) {
  confirmDialog.querySelector("#confirm-title").textContent = form.dataset.confirm;
  confirmDialog.querySelector("#confirm-text").textContent = form.dataset.confirmText || "";
  confirmDialog.querySelector("[data-confirm]").textContent = button?.textContent.trim() || "Go on";
  confirmDialog.querySelector("[data-confirm]").onclick = () => {
    form.dataset.confirmed = "yes";
    confirmDialog.close();
    form.requestSubmit(button);
  };
  confirmDialog.showModal();
}

// Capturing, so that it comes before htmx: neither a second press nor an unconfirmed one reaches it.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method === "get") return;
  if (form.dataset.confirm && form.dataset.confirmed !== "yes") {
    event.preventDefault();
    event.stopImmediatePropagation();
    ask(form, event.submitter);
    return;
  }
  if (form.getAttribute("aria-busy") === "true") {
    event.preventDefault();
    event.stopImmediatePropagation();
    return;
  }
  hold(form);
}, true);

// Forms that came by the socket know no request; the page they came into does.
function seal(form) {
  if (form.elements.csrfmiddlewaretoken) return;
  const token = document.createElement("input");
  token.type = "hidden";
  token.name = "csrfmiddlewaretoken";
  token.value = JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
  form.prepend(token);
}

function hold(form) {
  seal(form);
  form.setAttribute("aria-busy", "true");
  form.querySelectorAll("button[type=submit]").forEach((button) => button.setAttribute("aria-busy", "true"));
}

function release(form) {
  delete form.dataset.confirmed;
  form.removeAttribute("aria-busy");
  form.querySelectorAll("[aria-busy]").forEach((button) => button.removeAttribute("aria-busy"));
}

document.addEventListener("htmx:afterRequest", (event) => {
  const form = event.target.closest?.("form");
  if (form && event.detail.requestConfig.triggeringEvent?.type === "submit") release(form);
});
addEventListener("pageshow", () => document.querySelectorAll("form[aria-busy]").forEach(release));

function flash(text) {
  const box = document.createElement("div");
  box.className = "flash tone-bad";
  const words = document.createElement("div");
  words.className = "flash-text";
  words.textContent = text;
  const close = document.createElement("button");
  close.type = "button";
  close.dataset.dismiss = "";
  close.setAttribute("aria-label", "Dismiss");
  close.textContent = "×";
  box.append(words, close);
  document.getElementById("flash").append(box);
}

// What the page asks by itself is asked again by itself; only what somebody pressed is worth a word.
document.addEventListener("htmx:sendError", (event) => {
  if (event.detail.requestConfig.triggeringEvent?.isTrusted) flash("The server could not be reached. Nothing was sent; what you typed is still here. Try again in a moment.");
});
document.addEventListener("htmx:responseError", (event) => {
  if (event.detail.xhr.status === 503) flash("The server is busy and changed nothing. Try again in a moment.");
  else flash(`The server answered with error ${event.detail.xhr.status}. Reload the page to see what holds now.`);
});

// A filter that is chosen is a filter that holds.
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-auto-submit]");
  if (form) form.requestSubmit();
});
// What is off says why, also to those who can't hover.
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[aria-disabled=true][title]");
  if (button) flash(`Not now: ${button.title}.`);
});
