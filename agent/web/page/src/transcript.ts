/** Assembles what both sides say from LiveKit's transcription streams. */

import { DataStreamError } from "livekit-client";

export const TRANSCRIPTION_TOPIC = "lk.transcription";

export type Speaker = "user" | "agent";

export interface Line {
  /** The segment; an interim transcript and what replaces it share one. */
  readonly id: string;
  readonly speaker: Speaker;
  readonly text: string;
  readonly final: boolean;
}

/** One text stream: a whole interim transcript of the user, or the agent's words as spoken. */
export interface SegmentReader extends AsyncIterable<string> {
  readonly info: { readonly id: string; readonly attributes?: Record<string, string> };
}

/** The lines so far; tells `onLine` of each that is new or has changed. */
export class Transcript {
  readonly #lines = new Map<string, Line>();
  readonly #onLine: (line: Line) => void;

  constructor(onLine: (line: Line) => void) {
    this.#onLine = onLine;
  }

  /** Adds a line or replaces the one of the same segment. */
  update(line: Line): void {
    const known = this.#lines.get(line.id);
    // Streams are read side by side: an interim may be read after the final that replaced it.
    if (known?.final || (!known && !line.text.trim())) return;
    this.#lines.set(line.id, line);
    this.#onLine(line);
  }

  /** Reads one stream to its end, updating its line at every piece. */
  async read(reader: SegmentReader, speaker: Speaker): Promise<void> {
    const id = reader.info.attributes?.["lk.segment_id"] ?? reader.info.id;
    let text = "";
    let broken = false;
    try {
      for await (const piece of reader) {
        text += piece;
        this.update({ id, speaker, text, final: false });
      }
    } catch (error) {
      if (!(error instanceof DataStreamError)) throw error;
      broken = true;
    }
    // The closing attributes say whether the segment is done, so they are asked only now. When
    // the sender left in the middle, what it has said is all there will be.
    const final = broken || reader.info.attributes?.["lk.transcription_final"] === "true";
    this.update({ id, speaker, text, final });
  }
}
