/** What the person has chosen, kept from visit to visit. */

import type { Shelf } from "./shelf";
import { type Language, LANGUAGES } from "./texts";

/** Ids of devices are the browser's; an empty one is the system's default. */
export type DeviceKind = "microphone" | "speaker";

export class Preferences {
  readonly #shelf: Shelf;
  readonly #browserLanguage: string;

  /**
   * @param shelf - where they are kept
   * @param browserLanguage - such as `fr-CA`; holds until the person chooses
   */
  constructor(shelf: Shelf, browserLanguage: string) {
    this.#shelf = shelf;
    this.#browserLanguage = browserLanguage;
  }

  get language(): Language {
    return (
      known(this.#shelf.take("language")) ?? known(this.#browserLanguage.slice(0, 2)) ?? "en"
    );
  }

  set language(language: Language) {
    this.#shelf.put("language", language);
  }

  device(kind: DeviceKind): string {
    return this.#shelf.take(kind) ?? "";
  }

  setDevice(kind: DeviceKind, id: string): void {
    this.#shelf.put(kind, id);
  }
}

function known(code: string | undefined): Language | undefined {
  return LANGUAGES.find((language) => language === code?.toLowerCase());
}
