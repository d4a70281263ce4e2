// Small things of every page: menus, dialogs, copying, dismissing.
document.addEventListener("click", (event) => {
  document.querySelectorAll("details[data-menu][open]").forEach((menu) => {
    if (!menu.contains(event.target) || event.target.closest(".menu-list a, .menu-list button")) menu.open = false;
  });
  const target = event.target.closest("[data-open-dialog], [data-close], [data-dismiss], [data-copy], [data-print]");
  if (!target) return;
  if ("openDialog" in target.dataset) document.getElementById(target.dataset.openDialog).showModal();
  if ("close" in target.dataset) target.closest("dialog").close();
  if ("dismiss" in target.dataset) target.closest(".flash").remove();
  if ("copy" in target.dataset) copy(target);
  if ("print" in target.dataset) print();
});

async function copy(button) {
  await navigator.clipboard.writeText(button.dataset.copy);
  document.getElementById("announce").textContent = "Copied";
  button.dataset.copied = "";
  setTimeout(() => delete button.dataset.copied, 1500);
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  document.querySelectorAll("details[data-menu][open]").forEach((menu) => { menu.open = false; });
});

// A press beside a dialog closes it, as everywhere.
document.querySelectorAll("dialog").forEach((dialog) => {
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
});

// A row of tabs that is wider than the screen begins with the chosen one in sight.
document.querySelectorAll(".tabs [aria-current]").forEach((tab) => {
  tab.parentElement.scrollLeft = tab.offsetLeft - (tab.parentElement.clientWidth - tab.offsetWidth) / 2;
});

// Impact sheets and other answers that belong in the dialog open it when they arrive.
document.addEventListener("htmx:afterSwap", (event) => {
  const sheet = document.getElementById("sheet");
  if (event.target.id === "sheet-content" && !sheet.open) sheet.showModal();
});

// What was asked in the dialog is done: the page behind it shows the rest.
document.addEventListener("sheet:done", () => document.getElementById("sheet").close());

// Good news goes away by itself; errors stay until they are read.
function expire(flash) {
  if (flash.dataset.flash !== "error" && flash.dataset.flash !== "warning") setTimeout(() => flash.remove(), 8000);
}
const flashes = document.getElementById("flash");
flashes.querySelectorAll("[data-flash]").forEach(expire);
new MutationObserver((changes) => {
  changes.forEach((change) => change.addedNodes.forEach((node) => node.dataset && expire(node)));
}).observe(flashes, { childList: true });
