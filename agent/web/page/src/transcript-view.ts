/** Shows the lines of the conversation, and between them how long the answers took. */

import { element } from "./dom";
import type { Receipt } from "./receipt";
import type { Texts } from "./texts";
import type { Line, Speaker } from "./transcript";
import { drawWaterfall } from "./waterfall-view";

/** How far from the end, in pixels, someone may have scrolled and still be kept at the end. */
const SCROLL_SLACK = 48;
/** Of longer calls the latest are kept. */
const MOST_RECEIPTS = 50;

interface Row {
  readonly speaker: Speaker;
  readonly element: HTMLElement;
  readonly name: HTMLElement;
  readonly text: HTMLElement;
}

export class TranscriptView {
  readonly #lines = element("lines", HTMLElement);
  readonly #rows = new Map<string, Row>();
  #receipts: { readonly receipt: Receipt; element: HTMLDetailsElement }[] = [];
  #texts: Texts;

  constructor(texts: Texts) {
    this.#texts = texts;
    this.clear();
  }

  translate(texts: Texts): void {
    this.#texts = texts;
    for (const row of this.#rows.values()) row.name.textContent = texts.speaker[row.speaker];
    for (const shown of this.#receipts) {
      const drawn = drawWaterfall(shown.receipt, texts);
      drawn.open = shown.element.open;
      shown.element.replaceWith(drawn);
      shown.element = drawn;
    }
    if (this.#rows.size === 0) this.clear();
  }

  clear(): void {
    this.#rows.clear();
    this.#receipts = [];
    const hint = document.createElement("p");
    hint.className = "hint";
    hint.textContent = this.#texts.emptyTranscript;
    this.#lines.replaceChildren(hint);
  }

  /** Adds a line, or replaces the text of the one with the same id. */
  show(line: Line): void {
    this.#stayAtEnd(() => {
      const row = this.#rows.get(line.id) ?? this.#add(line);
      row.text.textContent = line.text;
      // Busy keeps screen readers from announcing each interim transcript.
      row.element.setAttribute("aria-busy", String(!line.final));
    });
  }

  /** Adds how long an answer took, between the question and the answer. */
  showReceipt(receipt: Receipt): void {
    const questions = this.#lines.querySelectorAll(".line.user[aria-busy=false]");
    const question = questions[questions.length - 1];
    // A receipt of words that never appeared, or were answered already, belongs nowhere.
    if (!question || question.nextElementSibling?.classList.contains("receipt")) return;
    const element = drawWaterfall(receipt, this.#texts);
    this.#stayAtEnd(() => question.after(element));
    this.#receipts.push({ receipt, element });
    if (this.#receipts.length > MOST_RECEIPTS) this.#receipts.shift()?.element.remove();
  }

  /** Changes something; whoever has read to the end sees the end afterwards. */
  #stayAtEnd(change: () => void): void {
    const { scrollHeight, scrollTop, clientHeight } = this.#lines;
    const atEnd = scrollHeight - scrollTop - clientHeight < SCROLL_SLACK;
    change();
    if (atEnd) this.#lines.scrollTop = this.#lines.scrollHeight;
  }

  #add({ id, speaker }: Line): Row {
    if (this.#rows.size === 0) this.#lines.replaceChildren();
    const row = {
      speaker,
      element: document.createElement("p"),
      name: document.createElement("span"),
      text: document.createElement("span"),
    };
    row.element.className = `line ${speaker}`;
    row.name.className = "speaker";
    row.name.textContent = this.#texts.speaker[speaker];
    row.text.className = "text";
    row.element.append(row.name, " ", row.text);
    this.#lines.append(row.element);
    this.#rows.set(id, row);
    return row;
  }
}
