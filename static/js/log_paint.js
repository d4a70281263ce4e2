// How lines of output look: ANSI colours as classes, and everything that hides or turns text made visible.
import { AnsiUp } from "../vendor/ansi_up-6.0.6/ansi_up.js";

const LINE_HEIGHT = 20;

// The parser is ansi_up's; the elements are made here, so that no markup and no style attribute comes from output.
class Painter extends AnsiUp {
  transform_to_html(fragment) {
    this.found.push({ ...fragment });
    return "";
  }

  process_hyperlink(packet) {
    this.found.push({ text: packet.text });
    return "";
  }

  paint(text) {
    this.found = [];
    this.ansi_to_html(text);
    return this.found.map(element);
  }
}

function element(fragment) {
  const classes = ["bold", "faint", "italic", "underline"].filter((name) => fragment[name]).map((name) => `ansi-${name}`);
  const span = document.createElement("span");
  colour(span, classes, fragment.fg, "fg");
  colour(span, classes, fragment.bg, "bg");
  span.textContent = fragment.text;
  if (!classes.length) return document.createTextNode(fragment.text);
  span.className = classes.join(" ");
  return span;
}

function colour(span, classes, found, kind) {
  if (!found) return;
  if (found.class_name !== "truecolor") {
    classes.push(`${found.class_name}-${kind}`);
    return;
  }
  span.style.setProperty(`--ansi-${kind}`, `rgb(${found.rgb.join(" ")})`);
  classes.push(`ansi-rgb-${kind}`);
}

// Colour codes pass. Any other control, and whatever hides or turns text around, is shown as a visible mark.
const SGR = /(\x1b\[[0-9;]*m)/;
const HIDDEN = /[\x00-\x08\x0a-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

function visible(character) {
  const code = character.codePointAt(0);
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  return `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
}

const safe = (text) => text.split(SGR).map((part, at) => (at % 2 ? part : part.replace(HIDDEN, visible))).join("");

export function paintBlock(block) {
  const painter = new Painter();
  painter.use_classes = true;
  block.querySelectorAll(".log-line > span").forEach((span) => {
    const text = span.textContent;
    if (/[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/.test(text) || painter.fg || painter.bold) {
      span.replaceChildren(...painter.paint(safe(text)));
    }
  });
  const count = Number(block.dataset.last) - Number(block.dataset.first) + 1;
  block.style.containIntrinsicSize = `auto ${count * LINE_HEIGHT}px`;
}
