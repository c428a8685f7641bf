/** Reads the receipts that the agent sends: what each turn's wait was made of. */

export const RECEIPT_TOPIC = "eloquence.receipt";

/** In the order in which they are shown. */
export const STAGES = [
  "uplink",
  "vad",
  "turn",
  "stt",
  "llm",
  "clause",
  "tts",
  "packet",
  "output",
] as const;

export type StageName = (typeof STAGES)[number];

/** Milliseconds from the end of the caller's speech, as it reached the agent. */
export interface Stage {
  readonly name: StageName;
  readonly start: number;
  readonly end: number;
}

/** A turn that was answered; stages may overlap. */
export interface Receipt {
  readonly turn: number;
  /** End of the caller's speech, and the answer; milliseconds as above. */
  readonly begin: number;
  readonly end: number;
  readonly stages: readonly Stage[];
  /** What the turn may take in all, in milliseconds. */
  readonly budget: number;
  /** The stage that made the turn too slow, if one did. */
  readonly broke: StageName | undefined;
}

/** What is longer is no receipt. */
const MOST_CHARACTERS = 4096;
/** A turn that takes longer, or began earlier, is none to draw. */
const LONGEST_MS = 600_000;

/**
 * Returns a receipt.
 *
 * @param text - its JSON
 * @returns undefined for a turn without an answer, and for what is no receipt
 */
export function readReceipt(text: string): Receipt | undefined {
  if (text.length > MOST_CHARACTERS) return undefined;
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (!isObject(body) || body["version"] !== 1) return undefined;
  const { turn, begin, end, stages, budget, broke } = body;
  if (!isTime(turn) || !isTime(begin) || !isTime(end) || end <= begin) return undefined;
  if (!Array.isArray(stages) || stages.length > STAGES.length) return undefined;
  if (!isObject(budget) || !isTime(budget["total"])) return undefined;
  return {
    turn,
    begin,
    end,
    stages: stages.flatMap(readStage),
    budget: budget["total"],
    broke: STAGES.find((name) => name === broke),
  };
}

function readStage(stage: unknown): Stage[] {
  if (!isObject(stage)) return [];
  const { start, end } = stage;
  const name = STAGES.find((known) => known === stage["name"]);
  return name && isTime(start) && isTime(end) && start <= end ? [{ name, start, end }] : [];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Math.abs(value) <= LONGEST_MS;
}
