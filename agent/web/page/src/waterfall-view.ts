/** Draws a receipt: how long the answer took, as a strip of bars that unfolds into its stages. */

import type { Receipt } from "./receipt";
import type { Texts } from "./texts";
import { type Bar, waterfall } from "./waterfall";

/** Returns the element of a receipt. */
export function drawWaterfall(receipt: Receipt, texts: Texts): HTMLDetailsElement {
  const { milliseconds, bars, limit } = waterfall(receipt);
  const box = document.createElement("details");
  box.className = "receipt";
  const summary = document.createElement("summary");
  const strip = track("strip", limit);
  strip.append(...bars.map((bar) => mark(bar)));
  const slow = bars.find((bar) => bar.slow);
  const words = [texts.receipt.answered(texts.receipt.seconds(milliseconds))];
  if (slow) words.push(texts.receipt.slow(texts.receipt.stage[slow.name]));
  summary.append(text("span", words.join(" · ")), strip);
  const list = document.createElement("dl");
  list.append(...bars.map((bar) => row(bar, limit, texts)));
  box.append(summary, list);
  return box;
}

function row(bar: Bar, limit: number | undefined, texts: Texts): HTMLElement {
  const line = document.createElement("div");
  const lane = track("lane", limit);
  lane.append(mark(bar));
  const value = document.createElement("dd");
  value.append(lane, text("span", texts.receipt.milliseconds(bar.milliseconds)));
  line.append(text("dt", texts.receipt.stage[bar.name]), value);
  return line;
}

function track(name: string, limit: number | undefined): HTMLElement {
  const lane = text("span", "");
  lane.className = name;
  lane.setAttribute("aria-hidden", "true");
  if (limit !== undefined) {
    lane.classList.add("over");
    lane.style.setProperty("--limit", limit.toFixed(4));
  }
  return lane;
}

function mark({ name, left, width, slow }: Bar): HTMLElement {
  const bar = text("span", "");
  bar.className = `mark ${name}`;
  bar.classList.toggle("slow", slow);
  bar.style.setProperty("--left", left.toFixed(4));
  bar.style.setProperty("--width", width.toFixed(4));
  return bar;
}

function text(kind: "span" | "dt", words: string): HTMLElement {
  const part = document.createElement(kind);
  part.textContent = words;
  return part;
}
