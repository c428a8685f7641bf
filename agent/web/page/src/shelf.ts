/** A few words kept in this browser, under the names of this page. */

const PREFIX = "eloquence.";

export class Shelf {
  readonly #open: () => Storage;

  /** @param open - returns the browser's storage; throws where the person has blocked it */
  constructor(open: () => Storage) {
    this.#open = open;
  }

  /** Returns what was put there; undefined when nothing was, or when storage is blocked. */
  take(name: string): string | undefined {
    return this.#try((storage) => storage.getItem(PREFIX + name)) ?? undefined;
  }

  put(name: string, value: string): void {
    this.#try((storage) => storage.setItem(PREFIX + name, value));
  }

  clear(name: string): void {
    this.#try((storage) => storage.removeItem(PREFIX + name));
  }

  #try<T>(use: (storage: Storage) => T): T | undefined {
    try {
      return use(this.#open());
    } catch (error) {
      // Blocked or full: the page works without, it only forgets.
      if (error instanceof DOMException) return undefined;
      throw error;
    }
  }
}
