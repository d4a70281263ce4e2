// The live channel: htmx's websocket extension does the connecting; here are the cursor, the dot, and what may be touched.
// Every message carries #live-cursor with the last sequence number in it, and a connection begins with it: nothing is
// missed and nothing is shown twice. Pausing closes the socket; going on catches up from the cursor.
(() => {
  const WORDS = { live: "Live", "catching-up": "Catching up", paused: "Paused", offline: "Offline, trying again", closed: "Offline" };
  const POLL_AFTER = 3;
  const EVENTS_SHOWN = 200;
  let socket = null;
  let failures = 0;
  let paused = false;
  let again = 0;

  const cursor = () => document.getElementById("live-cursor")?.dataset.sequence || "0";

  function show(state) {
    document.querySelectorAll("[data-live-toggle]").forEach((dot) => {
      dot.dataset.live = state;
      dot.setAttribute("aria-pressed", String(state === "paused"));
      dot.querySelector("[data-live-word]").textContent = WORDS[state];
    });
    document.documentElement.dataset.live = state;
  }

  function connect(url) {
    const address = new URL(url);
    new URLSearchParams(location.search).forEach((value, name) => address.searchParams.set(name, value));
    address.searchParams.set("after", cursor());
    show("catching-up");
    socket = new WebSocket(address);
    return socket;
  }

  const targetOf = (element) => {
    const [, selector] = (element.getAttribute("hx-swap-oob") || "").split(/:(.*)/);
    return selector ? document.querySelector(selector) : document.getElementById(element.id);
  };
  const isShown = (element) => element.firstElementChild?.id && document.getElementById(element.firstElementChild.id);
  // Lines of a log go where it ends; a page that shows another part of it asks for them when its reader gets there.
  const isApart = (element) => {
    const block = element.querySelector(".log-block");
    if (!block) return false;
    const last = Number([...targetOf(element).querySelectorAll(".log-block")].at(-1)?.dataset.last || 0);
    return Number(block.dataset.first) !== last + 1;
  };
  const isInsertion = (element) => (element.getAttribute("hx-swap-oob") || "").includes(":");

  // A message names everything that changed; a page keeps what it shows and ignores the rest.
  function keepWhatIsHere(text) {
    const parsed = document.createElement("template");
    parsed.innerHTML = text;
    [...parsed.content.children].forEach((element) => {
      if (!targetOf(element) || (isInsertion(element) && (isShown(element) || isApart(element)))) element.remove();
    });
    return parsed.innerHTML;
  }

  function changedSteps(text) {
    const parsed = document.createElement("template");
    parsed.innerHTML = text;
    const found = [...parsed.content.querySelectorAll("[data-step], [data-of-step]")];
    return found.map((element) => element.dataset.step || element.dataset.ofStep);
  }

  function say(message) {
    if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
  }

  // What is looked at, so that the socket sends its log: nothing else comes of it.
  function sayWhatIsShown() {
    const log = document.querySelector("[data-log]");
    const last = [...(log?.querySelectorAll(".log-block") || [])].at(-1)?.dataset.last;
    say({ asked: location.search, line: log ? Number(last || 0) : null });
  }

  function trim() {
    const events = document.getElementById("events");
    while (events?.children.length > EVENTS_SHOWN) events.lastElementChild.remove();
  }

  // What was watched is no news at the next look. Said now and then, and when the page is left.
  let unsaid = 0;
  function sayHowFar() {
    const url = document.getElementById("live")?.dataset.seenUrl;
    clearTimeout(unsaid);
    unsaid = 0;
    if (!url || document.hidden) return;
    const form = new FormData();
    form.set("sequence", cursor());
    form.set("csrfmiddlewaretoken", JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"]);
    navigator.sendBeacon(url, form);
  }
  addEventListener("pagehide", () => { if (unsaid) sayHowFar(); });

  function tell(steps) {
    if (!unsaid) unsaid = setTimeout(sayHowFar, 1500);
    document.dispatchEvent(new CustomEvent("live:changed", { detail: { steps } }));
  }

  htmx.createWebSocket = connect;
  htmx.config.wsReconnectDelay = (tries) => Math.random() * Math.min(15000, 500 * 2 ** tries);
  htmx.defineExtension("live", { transformResponse: (text) => keepWhatIsHere(text) });

  // What a reader has opened or typed stays as it is when the part around it is drawn anew.
  const isDirty = (node) => node.matches?.("textarea, input:not([type=hidden])") && node.value !== node.defaultValue;
  Idiomorph.defaults.callbacks.beforeNodeMorphed = (node) => !isDirty(node) && !node.matches?.("[data-log]");
  Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) => !(name === "open" && node.matches("details"));

  document.addEventListener("htmx:wsOpen", () => {
    failures = 0;
    show("live");
    sayWhatIsShown();
  });
  document.addEventListener("htmx:afterSettle", sayWhatIsShown);
  document.addEventListener("log:shown", sayWhatIsShown);
  document.addEventListener("htmx:wsAfterMessage", (event) => {
    show("live");
    say({ read: true });
    trim();
    tell(changedSteps(event.detail.message));
  });
  document.addEventListener("htmx:wsClose", (event) => {
    const { code } = event.detail.event;
    if (paused) return show("paused");
    show(code === 1000 || code >= 4000 ? "closed" : "offline");
    failures += 1;
    if (failures >= POLL_AFTER) poll();
  });

  // Where sockets don't get through, the same partials come by request.
  function poll() {
    const url = document.getElementById("live")?.dataset.pollUrl;
    clearTimeout(again);
    if (!url || paused || failures < POLL_AFTER) return;
    const wanted = new URLSearchParams(location.search);
    wanted.set("after", cursor());
    const later = () => {
      again = setTimeout(poll, 3000);
      tell([]);
    };
    htmx.ajax("GET", `${url}?${wanted}`, { target: "#live", swap: "none" }).then(later, later);
  }

  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.id === "live") event.detail.serverResponse = keepWhatIsHere(event.detail.serverResponse);
  });

  // What is to be added comes with a label around it, which is not to be added.
  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    const { fragment } = event.detail;
    const label = fragment.firstElementChild;
    if (label?.matches("[data-added]")) fragment.replaceChildren(...label.childNodes);
  });

  function toggle() {
    const element = document.getElementById("live");
    if (!element) return;
    paused = !paused;
    if (paused) {
      socket?.close(1000);
      show("paused");
    } else {
      element.dispatchEvent(new CustomEvent("live:resume"));
      htmx.process(replacement(element));
    }
  }

  // A new element is a new connection; the old one's timers see that it has left the page and stop.
  function replacement(element) {
    const fresh = element.cloneNode(true);
    element.replaceWith(fresh);
    return fresh;
  }

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-live-toggle]")) toggle();
  });
})();
