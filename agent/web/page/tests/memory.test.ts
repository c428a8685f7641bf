import { beforeEach, describe, expect, test } from "vitest";

import { CallMemory } from "../src/call-memory";
import { Preferences } from "../src/preferences";
import { Shelf } from "../src/shelf";

class MemoryStorage implements Storage {
  readonly #items = new Map<string, string>();

  get length(): number {
    return this.#items.size;
  }

  key(index: number): string | null {
    return [...this.#items.keys()][index] ?? null;
  }

  getItem(key: string): string | null {
    return this.#items.get(key) ?? null;
  }

  setItem(key: string, value: string): void {
    this.#items.set(key, value);
  }

  removeItem(key: string): void {
    this.#items.delete(key);
  }

  clear(): void {
    this.#items.clear();
  }
}

let shelf: Shelf;

beforeEach(() => {
  const storage = new MemoryStorage();
  shelf = new Shelf(() => storage);
});

const blocked = new Shelf(() => {
  throw new DOMException("", "SecurityError");
});

describe("preferences", () => {
  test.each([
    ["fr-CA", "fr"],
    ["FR", "fr"],
    ["en-GB", "en"],
    ["de-DE", "en"],
  ])("a browser in %s gets the page in %s", (browser, language) => {
    expect(new Preferences(shelf, browser).language).toBe(language);
  });

  test("a choice outlasts the visit", () => {
    const first = new Preferences(shelf, "en");
    first.language = "fr";
    first.setDevice("microphone", "usb");
    const next = new Preferences(shelf, "en");
    expect(next.language).toBe("fr");
    expect(next.device("microphone")).toBe("usb");
    expect(next.device("speaker")).toBe("");
  });

  test("where storage is blocked, the browser's language holds", () => {
    const preferences = new Preferences(blocked, "fr");
    preferences.language = "en";
    expect(preferences.language).toBe("fr");
  });
});

describe("a call", () => {
  const said = { id: "1", speaker: "user", text: "Hello.", final: true } as const;

  test("is found again by the next page, with what was said", () => {
    const memory = new CallMemory(shelf);
    memory.open("token", false);
    memory.add(said);
    memory.add({ ...said, id: "2", final: false });
    memory.mute(true);
    expect(new CallMemory(shelf).call).toEqual({ token: "token", muted: true, lines: [said] });
  });

  test("that goes on with a new token keeps what was said", () => {
    const memory = new CallMemory(shelf);
    memory.open("first", true);
    memory.add(said);
    const next = new CallMemory(shelf);
    next.open("second", true);
    expect(next.call).toEqual({ token: "second", muted: true, lines: [said] });
  });

  test("that was hung up is not found", () => {
    const memory = new CallMemory(shelf);
    memory.open("token", false);
    memory.close();
    memory.add(said);
    expect(new CallMemory(shelf).call).toBeUndefined();
  });
});
