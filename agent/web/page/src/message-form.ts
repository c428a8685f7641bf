/** Lets the person type to the agent. */

import { element } from "./dom";
import type { Texts } from "./texts";

export class MessageForm {
  readonly #form = element("message-form", HTMLFormElement);
  readonly #input = element("message", HTMLInputElement);
  readonly #button: HTMLButtonElement;
  #texts: Texts;

  /** @param onSend - rejects when the text did not reach the agent; it is then kept */
  constructor(texts: Texts, onSend: (text: string) => Promise<void>) {
    const button = this.#form.querySelector("button");
    if (!button) throw new Error("index.html has no button in #message-form");
    this.#button = button;
    this.#texts = texts;
    this.translate(texts);
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#submit(onSend);
    });
    this.#input.addEventListener("input", () => this.#input.setCustomValidity(""));
  }

  translate(texts: Texts): void {
    this.#texts = texts;
    this.#input.placeholder = texts.messageHint;
  }

  /** Allows typing while there is an agent to read it. */
  allow(allowed: boolean): void {
    this.#input.disabled = !allowed;
    this.#button.disabled = !allowed;
  }

  async #submit(onSend: (text: string) => Promise<void>): Promise<void> {
    const text = this.#input.value.trim();
    if (!text) return;
    // Empty at once, so that pressing Enter twice does not send twice.
    this.#input.value = "";
    try {
      await onSend(text);
    } catch (error) {
      console.warn(error);
      this.#input.value = text;
      this.#input.setCustomValidity(this.#texts.messageLost);
      this.#input.reportValidity();
    }
  }
}
