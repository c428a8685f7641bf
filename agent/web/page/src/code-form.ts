/** The access code that the local network's door asks for. */

import { element } from "./dom";
import type { Shelf } from "./shelf";

const NAME = "code";

export class CodeForm {
  readonly #shelf: Shelf;
  readonly #form = element("code-form", HTMLFormElement);
  readonly #input = element("code", HTMLInputElement);

  /**
   * @param shelf - keeps the code
   * @param onCode - a code was typed
   */
  constructor(shelf: Shelf, onCode: () => void) {
    this.#shelf = shelf;
    // A QR code carries it in the fragment, which browsers never send; nor should it stay in sight.
    const linked = new URLSearchParams(location.hash.slice(1)).get(NAME);
    if (linked) {
      shelf.put(NAME, linked);
      history.replaceState(null, "", location.pathname);
    }
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      shelf.put(NAME, this.#input.value);
      onCode();
    });
  }

  /** The code as it goes into a header; undefined when none is known. */
  get code(): string | undefined {
    return this.#shelf.take(NAME)?.replace(/[^!-~]/g, "") || undefined;
  }

  show(shown: boolean): void {
    this.#form.hidden = !shown;
    if (shown) this.#input.focus();
  }
}
