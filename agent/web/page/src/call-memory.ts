/** What a page needs after a reload to go on with the call that it was in. */

import type { Shelf } from "./shelf";
import type { Line } from "./transcript";

const NAME = "call";
/** A tab may keep a few megabytes; nobody reads further back than this after a reload. */
const MAX_LINES = 200;

export interface RunningCall {
  /** The token that the call was opened with: proof of having been in it. */
  readonly token: string;
  readonly muted: boolean;
  readonly lines: readonly Line[];
}

export class CallMemory {
  readonly #shelf: Shelf;
  #call: RunningCall | undefined;

  /** @param shelf - lasts as long as the tab */
  constructor(shelf: Shelf) {
    this.#shelf = shelf;
    const kept = shelf.take(NAME);
    this.#call = kept ? (JSON.parse(kept) as RunningCall) : undefined;
  }

  /** The call that was running when the page was left; undefined when there was none. */
  get call(): RunningCall | undefined {
    return this.#call;
  }

  /** A call has begun, or goes on with a new token. */
  open(token: string, muted: boolean): void {
    this.#save({ token, muted, lines: this.#call?.lines ?? [] });
  }

  mute(muted: boolean): void {
    if (this.#call) this.#save({ ...this.#call, muted });
  }

  /** Keeps a line that will not change any more. */
  add(line: Line): void {
    if (!this.#call || !line.final) return;
    this.#save({ ...this.#call, lines: [...this.#call.lines, line].slice(-MAX_LINES) });
  }

  close(): void {
    this.#call = undefined;
    this.#shelf.clear(NAME);
  }

  #save(call: RunningCall): void {
    this.#call = call;
    this.#shelf.put(NAME, JSON.stringify(call));
  }
}
