import { DataStreamError, DataStreamErrorReason } from "livekit-client";
import { beforeEach, describe, expect, test } from "vitest";

import { type Line, type SegmentReader, type Speaker, Transcript } from "../src/transcript";

let shown: Line[];
let transcript: Transcript;

beforeEach(() => {
  shown = [];
  transcript = new Transcript((line) => shown.push(line));
});

function reader(
  id: string,
  segment: string | undefined,
  pieces: readonly (string | Error)[],
  closing: Record<string, string> = {},
): SegmentReader {
  const info: { id: string; attributes: Record<string, string> } = {
    id,
    attributes: segment ? { "lk.segment_id": segment, "lk.transcription_final": "false" } : {},
  };
  return {
    info,
    async *[Symbol.asyncIterator]() {
      for (const piece of pieces) {
        if (piece instanceof Error) throw piece;
        yield piece;
      }
      info.attributes = { ...info.attributes, ...closing };
    },
  };
}

const FINAL = { "lk.transcription_final": "true" };

function line(id: string, speaker: Speaker, text: string, final: boolean): Line {
  return { id, speaker, text, final };
}

describe("a stream", () => {
  test("grows the agent's line piece by piece and settles at its close", async () => {
    await transcript.read(reader("s1", "A", ["The capital", " is Paris."], FINAL), "agent");
    expect(shown).toEqual([
      line("A", "agent", "The capital", false),
      line("A", "agent", "The capital is Paris.", false),
      line("A", "agent", "The capital is Paris.", true),
    ]);
  });

  test("is not final before its last piece, even when its opening attributes say so", async () => {
    const both = reader("s1", "A", ["What is", " the capital?"]);
    if (both.info.attributes) both.info.attributes["lk.transcription_final"] = "true";
    await transcript.read(both, "user");
    expect(shown.map(({ final }) => final)).toEqual([false, false, true]);
    expect(shown.at(-1)?.text).toBe("What is the capital?");
  });

  test("of the same segment replaces the interim line", async () => {
    await transcript.read(reader("s1", "U", ["what is the"]), "user");
    await transcript.read(reader("s2", "U", ["What is the capital?"], FINAL), "user");
    expect(new Set(shown.map(({ id }) => id))).toEqual(new Set(["U"]));
    expect(shown.at(-1)).toEqual(line("U", "user", "What is the capital?", true));
  });

  test("without a segment is a line of its own", async () => {
    await transcript.read(reader("s1", undefined, ["one"]), "agent");
    await transcript.read(reader("s2", undefined, ["two"]), "agent");
    expect(new Set(shown.map(({ id }) => id))).toEqual(new Set(["s1", "s2"]));
  });

  test("cut off by its sender leaves what was said, as final", async () => {
    const cut = new DataStreamError("gone", DataStreamErrorReason.AbnormalEnd);
    await transcript.read(reader("s1", "A", ["The capi", cut]), "agent");
    expect(shown.at(-1)).toEqual(line("A", "agent", "The capi", true));
  });

  test("that fails for another reason is not passed over", async () => {
    const broken = reader("s1", "A", [new RangeError("bug")]);
    await expect(transcript.read(broken, "agent")).rejects.toThrow("bug");
  });
});

describe("a line", () => {
  test("that is final is not undone by a late interim", () => {
    transcript.update(line("U", "user", "Bonjour.", true));
    transcript.update(line("U", "user", "bon", false));
    expect(shown).toEqual([line("U", "user", "Bonjour.", true)]);
  });

  test("without words does not appear", () => {
    transcript.update(line("U", "user", "  ", false));
    expect(shown).toEqual([]);
  });
});
