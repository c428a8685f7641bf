/** Puts words into index.html, which has none of its own. */

import { type Language, TEXTS } from "./texts";

/** Writes the text that each element names in `data-text`. */
export function translatePage(language: Language): void {
  document.documentElement.lang = language;
  const page: Readonly<Partial<Record<string, string>>> = TEXTS[language].page;
  for (const part of document.querySelectorAll<HTMLElement>("[data-text]")) {
    const text = page[part.dataset["text"] ?? ""];
    if (text === undefined) throw new Error(`no text for ${part.outerHTML}`);
    part.textContent = text;
  }
}
