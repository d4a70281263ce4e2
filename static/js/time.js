// Keeps relative and running times true. The words match workbench/templatetags/times.py.
const UNITS = [[86400, "d"], [3600, "h"], [60, "min"]];

function relative(seconds) {
  const distance = Math.abs(seconds);
  if (distance < 45) return seconds >= 0 ? "just now" : "in a moment";
  const [size, unit] = UNITS.find(([size]) => distance >= size) || [60, "min"];
  const words = `${Math.max(1, Math.round(distance / size))} ${unit}`;
  return seconds > 0 ? `${words} ago` : `in ${words}`;
}

function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const at = UNITS.findIndex(([size]) => whole >= size);
  if (at < 0) return `${whole} s`;
  const [size, unit] = UNITS[at];
  const [below, belowUnit] = UNITS[at + 1] || [1, "s"];
  const rest = whole % size;
  return `${Math.floor(whole / size)} ${unit}` + (rest >= below ? ` ${Math.floor(rest / below)} ${belowUnit}` : "");
}

function write(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

const passed = (element) => (Date.now() - Date.parse(element.dateTime)) / 1000;

function tick() {
  if (document.hidden) return;
  document.querySelectorAll("time[data-relative]").forEach((e) => write(e, relative(passed(e))));
  document.querySelectorAll("time[data-elapsed]").forEach((e) => write(e, duration(passed(e))));
}

setInterval(tick, 1000);
document.addEventListener("visibilitychange", tick);
