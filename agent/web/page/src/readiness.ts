/** What the agent still waits for: the page's server tells each change by itself. */

const WATCH_URL = "/readyz?watch";

/** A part of the agent as the server tells it, with the parts that it consists of. */
interface Component {
  readonly state: string;
  readonly message?: string;
  readonly done?: number | null;
  readonly total?: number | null;
  readonly eta?: number;
  readonly parts?: Readonly<Record<string, Component>>;
}

export type PartState =
  | "missing"
  | "downloading"
  | "verifying"
  | "loading"
  | "warming"
  | "failed";

/** A part that is not ready. */
export interface Part {
  /** Such as `stt`, `tts:kokoro`, `llm`. */
  readonly name: string;
  readonly state: PartState;
  /** What is wrong and what to do about it, if the part failed. */
  readonly sentence: string;
  /** Bytes that are there, and that there will be. */
  readonly done: number | undefined;
  readonly total: number | undefined;
  readonly secondsLeft: number | undefined;
}

export interface Preparation {
  /** Whether a call gets an agent now. */
  readonly ready: boolean;
  /** What is not ready, which may be something better than what is used meanwhile. */
  readonly parts: readonly Part[];
}

const STATES: readonly string[] = [
  "missing",
  "downloading",
  "verifying",
  "loading",
  "warming",
  "failed",
];

/**
 * Reads an event of the server.
 *
 * @param data - its JSON
 */
export function readPreparation(data: string): Preparation {
  const { components } = JSON.parse(data) as { components: Record<string, Component> };
  const worker = components["worker"];
  const { engine, llm } = worker?.parts ?? {};
  const known = { ...engine?.parts, ...(llm && { llm }) };
  return {
    ready: worker?.state === "ready",
    parts: Object.entries(known).flatMap(([name, component]) => partOf(name, component)),
  };
}

function partOf(name: string, component: Component): Part[] {
  if (!STATES.includes(component.state)) return [];
  const state = component.state as PartState;
  return [
    {
      name,
      state,
      sentence: state === "failed" ? (component.message ?? "") : "",
      done: component.done ?? undefined,
      total: component.total ?? undefined,
      secondsLeft: component.eta,
    },
  ];
}

/** Whether nothing will change any more unless something breaks. */
export function isSettled({ ready, parts }: Preparation): boolean {
  return ready && parts.every(({ state }) => state === "failed" || state === "missing");
}

export class ReadinessWatch {
  readonly #tell: (preparation: Preparation) => void;
  #source: EventSource | undefined;

  /** @param tell - is told the state at once and after each change, while there is reason to look */
  constructor(tell: (preparation: Preparation) => void) {
    this.#tell = tell;
  }

  /** Looks until nothing is on its way any more: each page that looks holds a connection. */
  begin(): void {
    if (this.#source) return;
    this.#source = new EventSource(WATCH_URL);
    this.#source.addEventListener("message", ({ data }: MessageEvent<string>) => {
      const preparation = readPreparation(data);
      this.#tell(preparation);
      if (isSettled(preparation)) this.#end();
    });
  }

  #end(): void {
    this.#source?.close();
    this.#source = undefined;
  }
}
