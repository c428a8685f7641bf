/** Shows the lines of the conversation. */

import { element } from "./dom";
import type { Texts } from "./texts";
import type { Line, Speaker } from "./transcript";

/** How far from the end, in pixels, someone may have scrolled and still be kept at the end. */
const SCROLL_SLACK = 48;

interface Row {
  readonly speaker: Speaker;
  readonly element: HTMLElement;
  readonly name: HTMLElement;
  readonly text: HTMLElement;
}

export class TranscriptView {
  readonly #lines = element("lines", HTMLElement);
  readonly #rows = new Map<string, Row>();
  #texts: Texts;

  constructor(texts: Texts) {
    this.#texts = texts;
    this.clear();
  }

  translate(texts: Texts): void {
    this.#texts = texts;
    for (const row of this.#rows.values()) row.name.textContent = texts.speaker[row.speaker];
    if (this.#rows.size === 0) this.clear();
  }

  clear(): void {
    this.#rows.clear();
    const hint = document.createElement("p");
    hint.className = "hint";
    hint.textContent = this.#texts.emptyTranscript;
    this.#lines.replaceChildren(hint);
  }

  /** Adds a line, or replaces the text of the one with the same id. */
  show(line: Line): void {
    const { scrollHeight, scrollTop, clientHeight } = this.#lines;
    const atEnd = scrollHeight - scrollTop - clientHeight < SCROLL_SLACK;
    const row = this.#rows.get(line.id) ?? this.#add(line);
    row.text.textContent = line.text;
    // Busy keeps screen readers from announcing each interim transcript.
    row.element.setAttribute("aria-busy", String(!line.final));
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
