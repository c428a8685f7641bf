/** Shows what the agent still waits for. */

import { element } from "./dom";
import type { Part, Preparation } from "./readiness";
import type { Texts } from "./texts";

const MEGABYTE = 1_000_000;
const MINUTE = 60;

export class ProgressView {
  readonly #box = element("progress", HTMLElement);
  readonly #title = element("progress-title", HTMLElement);
  readonly #list = element("progress-parts", HTMLUListElement);
  #texts: Texts;
  #preparation: Preparation | undefined;

  constructor(texts: Texts) {
    this.#texts = texts;
  }

  translate(texts: Texts): void {
    this.#texts = texts;
    this.#draw();
  }

  show(preparation: Preparation): void {
    this.#preparation = preparation;
    this.#draw();
  }

  #draw(): void {
    const { ready, parts } = this.#preparation ?? { ready: true, parts: [] };
    // What merely is not there is no news once calls are answered.
    const shown = parts.filter(({ state }) => !ready || state !== "missing");
    this.#box.hidden = shown.length === 0;
    this.#title.textContent = ready ? this.#texts.progress.better : this.#texts.progress.preparing;
    this.#list.replaceChildren(...shown.map((part) => this.#row(part)));
  }

  #row(part: Part): HTMLLIElement {
    const row = document.createElement("li");
    const name = document.createElement("span");
    name.textContent = partName(part.name, this.#texts);
    const state = document.createElement("span");
    state.textContent = describe(part, this.#texts);
    row.append(name, state);
    row.dataset["state"] = part.state;
    if (part.done !== undefined && part.total) {
      const bar = document.createElement("progress");
      bar.max = part.total;
      bar.value = part.done;
      bar.setAttribute("aria-label", name.textContent);
      row.append(bar);
    }
    return row;
  }
}

/** Names a part for people: `tts:kokoro` is the voice (kokoro). */
export function partName(name: string, texts: Texts): string {
  const [group = name, detail] = name.split(":");
  const known = texts.progress.part[group] ?? group;
  return detail ? `${known} (${detail})` : known;
}

/** Tells how far a part is: bytes and time left of a download, the sentence of a failure. */
export function describe(part: Part, texts: Texts): string {
  if (part.sentence) return part.sentence;
  const state = texts.progress.state[part.state];
  if (part.done === undefined || !part.total) return state;
  const { done, total, secondsLeft } = part;
  const megabytes = texts.progress.amount(round(done / MEGABYTE), round(total / MEGABYTE));
  const left = secondsLeft === undefined ? [] : [texts.progress.left(duration(secondsLeft))];
  return [state, megabytes, ...left].join(", ");
}

function round(value: number): string {
  return value.toFixed(0);
}

function duration(seconds: number): string {
  return seconds < 2 * MINUTE ? `${seconds.toFixed(0)} s` : `${(seconds / MINUTE).toFixed(0)} min`;
}
