/** Shows what the call is doing, and has the buttons that begin, mute and end it. */

import type { CallState } from "./call-state";
import { element } from "./dom";
import type { ProblemKind } from "./problems";
import type { Texts } from "./texts";
import type { Speaker } from "./transcript";

export interface CallActions {
  /** The one button was pressed: to call, or during a call to hang up. */
  onCall(): void;
  onMute(muted: boolean): void;
}

export class CallView {
  readonly audio = element("agent-audio", HTMLAudioElement);
  readonly #page = element("page", HTMLElement);
  readonly #status = element("status", HTMLElement);
  readonly #button = element("call-button", HTMLButtonElement);
  readonly #mute = element("mute-button", HTMLButtonElement);
  readonly #problem = element("problem", HTMLElement);
  readonly #levels: Readonly<Record<Speaker, HTMLElement>> = {
    agent: element("agent-level", HTMLElement),
    user: element("own-level", HTMLElement),
  };
  #texts: Texts;
  #state: CallState | undefined;
  #kind: ProblemKind | undefined;

  constructor(texts: Texts, actions: CallActions) {
    this.#texts = texts;
    this.#button.addEventListener("click", (event) => {
      // The second half of a double click would undo the first.
      if (event.detail < 2) actions.onCall();
    });
    this.#mute.addEventListener("click", () => {
      this.showMuted(!this.#muted);
      actions.onMute(this.#muted);
    });
    this.#draw();
  }

  translate(texts: Texts): void {
    this.#texts = texts;
    this.#draw();
  }

  /** Shows that no call is on, and why, unless the person ended it. */
  showIdle(problem?: ProblemKind): void {
    this.#state = undefined;
    this.#kind = problem;
    this.showMuted(false);
    this.#draw();
  }

  showState(state: CallState): void {
    this.#state = state;
    this.#kind = undefined;
    this.#draw();
  }

  showMuted(muted: boolean): void {
    this.#mute.setAttribute("aria-pressed", String(muted));
  }

  /** @param level - 0 for silence up to 1 for a loud voice */
  showLevel(speaker: Speaker, level: number): void {
    this.#levels[speaker].style.setProperty("--level", level.toFixed(2));
  }

  get #muted(): boolean {
    return this.#mute.getAttribute("aria-pressed") === "true";
  }

  #draw(): void {
    const { state, page, problem } = this.#texts;
    const shown = this.#state ?? "idle-page";
    this.#page.dataset["state"] = shown;
    this.#status.textContent = state[shown];
    this.#button.textContent = this.#state ? page.hangUp : page.call;
    this.#mute.disabled = !this.#state;
    this.#problem.hidden = !this.#kind;
    this.#problem.textContent = this.#kind ? problem[this.#kind] : "";
  }
}
