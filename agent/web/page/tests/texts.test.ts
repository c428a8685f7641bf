import { readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { LANGUAGES, TEXTS } from "../src/texts";

const html = readFileSync(join(import.meta.dirname, "..", "index.html"), "utf8");

test.each(LANGUAGES)("every text that index.html names exists in %s", (language) => {
  const named = [...html.matchAll(/data-text="(.*?)"/g)].map(([, name]) => name);
  expect(named.length).toBeGreaterThan(0);
  expect(Object.keys(TEXTS[language].page)).toEqual(expect.arrayContaining(named));
});
