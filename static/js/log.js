// The log: opens at its end, follows until the reader scrolls, never moves under the eye.
// Lines come from the server as real text; here they are coloured, and more are fetched as they are needed.
import { paintBlock } from "./log_paint.js";

const PAGE = 1000;

// --- Folding ----------------------------------------------------------------------------------------------------

// Lines between `::group::Title` and `::endgroup::` fold under the title. Lines stay where they are: folding hides.
class Groups {
  constructor() {
    this.byHead = new Map();
    this.ofLine = new Map();
    this.open = null;
  }

  // The block came below what is there; a group that is still open goes on in it.
  below(block) {
    this.open = this.walk([...block.children], this.open);
  }

  // The block came above: a group that begins in it may hold what is there already.
  above(block) {
    let group = this.walk([...block.children], null);
    for (let next = block.nextElementSibling; group && next; next = next.nextElementSibling) {
      const lines = [...next.children];
      const end = lines.findIndex((line) => line.matches(".log-head, .log-end") || this.ofLine.has(line));
      lines.slice(0, end < 0 ? lines.length : end).forEach((line) => this.add(group, line));
      if (end < 0) continue;
      this.close(group);
      group = null;
    }
    if (group) this.open = group;
  }

  walk(lines, group) {
    for (const line of lines) {
      const text = line.lastElementChild.textContent;
      if (text.startsWith("::group::")) {
        this.close(group);
        group = this.begin(line, text.slice(9).trim() || "Group");
      } else if (text.trimEnd() === "::endgroup::") {
        line.classList.add("log-end");
        this.close(group);
        group = null;
      } else if (group) this.add(group, line);
    }
    return group;
  }

  begin(line, title) {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.logFold = "";
    button.setAttribute("aria-expanded", "true");
    button.append(title);
    line.classList.add("log-head");
    line.lastElementChild.replaceChildren(button);
    const group = { button, lines: [] };
    this.byHead.set(button, group);
    return group;
  }

  add(group, line) {
    group.lines.push(line);
    this.ofLine.set(line, group);
    line.hidden = group.button.getAttribute("aria-expanded") === "false";
  }

  // What is whole when it comes is folded, unless something in it went to the error stream.
  close(group) {
    if (!group || group.closed) return;
    group.closed = true;
    group.button.dataset.count = `${group.lines.length.toLocaleString("en")} lines`;
    if (this.foldsWhatIsWhole && !group.lines.some((line) => line.dataset.stream === "stderr")) this.fold(group, true);
  }

  fold(group, folded) {
    group.button.setAttribute("aria-expanded", String(!folded));
    group.lines.forEach((line) => { line.hidden = folded; });
  }

  toggle(button) {
    const group = this.byHead.get(button);
    if (group) this.fold(group, button.getAttribute("aria-expanded") === "true");
  }

  show(line) {
    const group = this.ofLine.get(line);
    if (group && line.hidden) this.fold(group, false);
  }
}

// --- One viewer -------------------------------------------------------------------------------------------------

class Log {
  constructor(root) {
    this.root = root;
    this.scroll = root.querySelector("[data-log-scroll]");
    this.following = !root.dataset.chosen;
    this.busy = false;
    this.lines = root.querySelector(".log-lines");
    this.begin();
    this.paint();
    this.restoreOptions();
    this.scroll.addEventListener("scroll", () => this.scrolled(), { passive: true });
    root.addEventListener("click", (event) => this.clicked(event));
    this.scroll.addEventListener("keydown", (event) => this.pressed(event));
    if (root.dataset.chosen) this.showLine(root.dataset.chosen);
    else this.toEnd();
    this.drawFollow();
  }

  // While output comes nothing folds by itself, for that would move what is being read.
  begin() {
    this.groups = new Groups();
    this.groups.foldsWhatIsWhole = !("open" in this.root.dataset);
  }

  paint(isAbove = false) {
    this.lines.querySelectorAll(".log-block:not([data-painted])").forEach((block) => {
      block.dataset.painted = "";
      paintBlock(block);
      if (isAbove) this.groups.above(block);
      else this.groups.below(block);
    });
  }

  get blocks() { return [...this.scroll.querySelectorAll(".log-block")]; }
  get first() { return Number(this.blocks[0]?.dataset.first || 1); }
  get last() { return Number(this.blocks.at(-1)?.dataset.last || 0); }
  get total() { return Number(this.root.querySelector("[data-log-count]")?.dataset.total || this.root.dataset.total); }
  get isAtEnd() { return this.scroll.scrollHeight - this.scroll.scrollTop - this.scroll.clientHeight < 12; }

  toEnd() {
    this.before = Infinity;
    this.goToEnd();
    // Blocks that come into view get their true height only now.
    requestAnimationFrame(() => requestAnimationFrame(() => this.goToEnd()));
  }

  goToEnd() {
    if (!this.following) return;
    this.scroll.scrollTop = this.scroll.scrollHeight;
    this.before = this.scroll.scrollTop;
  }

  // Only the reader's own scrolling changes following: upwards ends it, reaching the end begins it. Where lines fold or
  // get their true height the end itself comes up.
  scrolled() {
    const top = this.scroll.scrollTop;
    if (top < this.before - 2 && !this.isAtEnd) this.following = false;
    if (this.isAtEnd && this.last >= this.total) this.following = true;
    this.before = top;
    if (top < 200 && this.first > 1) this.earlier();
    if (this.isAtEnd && this.last < this.total) this.later();
    this.drawFollow();
  }

  async fetchBlock(parameters) {
    const url = new URL(this.root.dataset.linesUrl, location.href);
    Object.entries(parameters).forEach(([name, value]) => url.searchParams.set(name, value));
    // Without a network there is nothing new; the dot at the top says so, and the next look comes soon.
    const answer = await fetch(url, { headers: { "HX-Request": "true" }, credentials: "same-origin" }).catch(() => null);
    if (!answer?.ok) return null;
    const parsed = document.createElement("template");
    parsed.innerHTML = await answer.text();
    const block = parsed.content.querySelector(".log-block");
    return block;
  }

  async once(work) {
    if (this.busy) return;
    this.busy = true;
    try {
      await work();
    } finally {
      this.busy = false;
      this.drawFollow();
    }
  }

  earlier() {
    return this.once(async () => {
      const block = await this.fetchBlock({ before: this.first, limit: PAGE });
      if (!block?.children.length) return;
      const height = this.scroll.scrollHeight;
      this.blocks[0].before(block);
      this.paint(true);
      this.scroll.scrollTop += this.scroll.scrollHeight - height;
      this.before = this.scroll.scrollTop;
      this.drawEarlier();
    });
  }

  later() {
    return this.once(async () => {
      const block = await this.fetchBlock({ after: this.last, limit: PAGE });
      if (!block) return;
      if (!("open" in block.dataset)) this.isOver();
      if (!block.children.length) return;
      this.scroll.querySelector("[data-log-empty]")?.remove();
      // The socket may have been faster.
      if (Number(block.dataset.first) !== this.last + 1) return;
      this.lines.append(block);
      this.paint();
      if (this.following) this.toEnd();
    });
  }

  isOver() {
    delete this.root.dataset.open;
    const nothing = this.scroll.querySelector("[data-log-empty]");
    if (nothing) nothing.textContent = "This attempt wrote nothing.";
  }

  // The counter in the bar is the bell: the socket redraws it, and what is missing is fetched.
  async check() {
    this.paint();
    if (this.last) this.scroll.querySelector("[data-log-empty]")?.remove();
    if (this.following && this.total - this.last > 2 * PAGE) await this.follow();
    else if (this.following && this.last < this.total) await this.later();
    else if (this.following) this.toEnd();
    this.drawFollow();
  }

  drawEarlier() {
    const button = this.scroll.querySelector("[data-log-earlier]");
    if (!button) return;
    if (this.first <= 1) button.remove();
    else button.textContent = `↑ ${(this.first - 1).toLocaleString("en")} earlier lines`;
  }

  drawFollow() {
    const button = this.root.querySelector("[data-log-follow]");
    const missing = this.total - this.last;
    button.hidden = this.following || (!("open" in this.root.dataset) && missing <= 0 && this.isAtEnd);
    button.lastChild.textContent = missing > 0 ? `${missing.toLocaleString("en")} ${"open" in this.root.dataset ? "new" : "later"} lines` : "To the end";
  }

  async follow() {
    this.following = true;
    if (this.total - this.last > 2 * PAGE) await this.jump(this.total);
    while (this.last < this.total && !this.busy) {
      const had = this.last;
      await this.later();
      if (this.last === had) break;
    }
    this.toEnd();
    this.drawFollow();
  }

  jump(line) {
    return this.once(async () => {
      const block = await this.fetchBlock({ after: Math.max(0, line - PAGE / 2), limit: PAGE });
      if (!block) return;
      this.blocks.forEach((old) => old.remove());
      this.begin();
      this.lines.append(block);
      this.paint();
      this.drawEarlier();
    });
  }

  async showLine(number) {
    this.following = false;
    if (number < this.first || number > this.last) await this.jump(Number(number));
    const line = this.scroll.querySelector(`#L${CSS.escape(number)}`);
    if (!line) return;
    this.scroll.querySelector(".chosen")?.classList.remove("chosen");
    this.groups.show(line);
    line.classList.add("chosen");
    const distance = line.getBoundingClientRect().top - this.scroll.getBoundingClientRect().top;
    this.scroll.scrollTop += distance - this.scroll.clientHeight / 3;
    this.before = this.scroll.scrollTop;
  }

  clicked(event) {
    const target = event.target.closest("[data-line], [data-hit], [data-log-option], [data-log-follow], [data-log-earlier], [data-log-fold]");
    if (!target) return;
    if ("logFold" in target.dataset) {
      this.following = false;
      this.groups.toggle(target);
      this.drawFollow();
      return;
    }
    const { line, hit, logOption } = target.dataset;
    if (line || hit) {
      event.preventDefault();
      history.replaceState(history.state, "", target.href);
      this.showLine(line || hit);
    } else if (logOption) this.toggle(logOption);
    else if ("logFollow" in target.dataset) this.follow();
    else this.earlier();
  }

  // The very first and last line, however many lie between.
  pressed(event) {
    if (event.key !== "Home" && event.key !== "End") return;
    event.preventDefault();
    if (event.key === "Home") this.showLine("1");
    else this.follow();
  }

  toggle(option) {
    localStorage.setItem(`log-${option}`, option in this.root.dataset ? "off" : "on");
    this.restoreOptions();
  }

  restoreOptions() {
    ["wrap", "stamps"].forEach((option) => {
      const on = (localStorage.getItem(`log-${option}`) || (option === "wrap" ? "on" : "off")) === "on";
      this.root.toggleAttribute(`data-${option}`, on);
      this.root.querySelector(`[data-log-option="${option}"]`).setAttribute("aria-pressed", String(on));
    });
  }
}

const viewers = new WeakMap();

function begin() {
  document.querySelectorAll("[data-log]").forEach((root) => {
    if (!viewers.has(root)) viewers.set(root, new Log(root));
  });
}

function check() {
  if (document.documentElement.dataset.live === "paused") return;
  document.querySelectorAll("[data-log]").forEach((root) => viewers.get(root)?.check());
}

begin();
document.addEventListener("htmx:afterSettle", begin);
document.addEventListener("live:changed", check);
// Should the bell be lost, an open log still goes on.
setInterval(() => {
  document.querySelectorAll("[data-log][data-open]").forEach((root) => {
    const log = viewers.get(root);
    if (log?.following && document.documentElement.dataset.live !== "paused" && !document.hidden) log.later();
  });
}, 5000);
