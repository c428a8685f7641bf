/** What the person sees and presses; knows nothing of LiveKit. */

import type { AgentState } from "./agent-state";
import type { ProblemKind } from "./problems";
import { texts } from "./texts";
import type { Line } from "./transcript";

type State = "idle" | "connecting" | "waiting" | AgentState;

/** How far from the end, in pixels, someone may have scrolled and still be kept at the end. */
const SCROLL_SLACK = 48;

export class View {
  readonly audio = element("agent-audio", HTMLAudioElement);
  readonly #page = element("page", HTMLElement);
  readonly #status = element("status", HTMLElement);
  readonly #button = element("call-button", HTMLButtonElement);
  readonly #problem = element("problem", HTMLElement);
  readonly #lines = element("lines", HTMLElement);
  readonly #lineTexts = new Map<string, HTMLElement>();

  /** @param onPress - the one button was pressed: to call, or during a call to hang up */
  constructor(onPress: () => void) {
    this.#button.addEventListener("click", (event) => {
      // The second half of a double click would undo the first.
      if (event.detail < 2) onPress();
    });
    this.showIdle();
    this.clearTranscript();
  }

  showIdle(problem?: ProblemKind): void {
    this.#show("idle", texts.idle, texts.call);
    this.#problem.hidden = problem === undefined;
    this.#problem.textContent = problem ? texts.problem[problem] : "";
  }

  showConnecting(): void {
    this.#problem.hidden = true;
    this.#show("connecting", texts.connecting, texts.hangUp);
  }

  showWaiting(): void {
    this.#show("waiting", texts.waitingForAgent, texts.hangUp);
  }

  showAgentState(state: AgentState): void {
    this.#show(state, texts.agentState[state], texts.hangUp);
  }

  clearTranscript(): void {
    this.#lineTexts.clear();
    const hint = document.createElement("p");
    hint.className = "hint";
    hint.textContent = texts.emptyTranscript;
    this.#lines.replaceChildren(hint);
  }

  /** Adds a line, or replaces the text of the one with the same id. */
  showLine(line: Line): void {
    const { scrollHeight, scrollTop, clientHeight } = this.#lines;
    const atEnd = scrollHeight - scrollTop - clientHeight < SCROLL_SLACK;
    const text = this.#lineTexts.get(line.id) ?? this.#addLine(line);
    text.textContent = line.text;
    // Busy keeps screen readers from announcing each interim transcript.
    text.parentElement?.setAttribute("aria-busy", String(!line.final));
    if (atEnd) this.#lines.scrollTop = this.#lines.scrollHeight;
  }

  #addLine(line: Line): HTMLElement {
    if (this.#lineTexts.size === 0) this.#lines.replaceChildren();
    const row = document.createElement("p");
    row.className = `line ${line.speaker}`;
    const speaker = document.createElement("span");
    speaker.className = "speaker";
    speaker.textContent = texts.speaker[line.speaker];
    const text = document.createElement("span");
    text.className = "text";
    row.append(speaker, " ", text);
    this.#lines.append(row);
    this.#lineTexts.set(line.id, text);
    return text;
  }

  #show(state: State, status: string, button: string): void {
    this.#page.dataset["state"] = state;
    this.#status.textContent = status;
    this.#button.textContent = button;
  }
}

function element<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`index.html has no ${type.name} #${id}`);
  return found;
}
