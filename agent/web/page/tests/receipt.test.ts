import { describe, expect, test } from "vitest";

import { Onset } from "../src/onset";
import { readReceipt } from "../src/receipt";
import { TEXTS } from "../src/texts";
import { waterfall } from "../src/waterfall";

const RECEIPT = {
  version: 1,
  turn: 2,
  language: "en",
  answered: true,
  heard: true,
  begin: -50,
  end: 950,
  stages: [
    { name: "output", start: 850, end: 950 },
    { name: "uplink", start: -50, end: 0 },
    { name: "stt", start: 0, end: 350 },
    { name: "turn", start: 200, end: 400 },
    { name: "llm", start: 360, end: 650 },
  ],
  speculation: { asked: 1, kept: true },
  budget: { total: 2000, stt: 400 },
  broke: null,
  clock_error: 1,
  echo: { stopped: 1, heard: 2 },
};

function read(changes: object) {
  return readReceipt(JSON.stringify({ ...RECEIPT, ...changes }));
}

describe("a receipt", () => {
  test("is read", () => {
    expect(read({ broke: "llm" })).toMatchObject({ begin: -50, end: 950, budget: 2000, broke: "llm" });
  });

  test.each([
    { version: 2 },
    { end: null },
    { end: -60 },
    { begin: 1e9 },
    { begin: "0" },
    { stages: 3 },
    { stages: Array.from({ length: 1000 }, () => RECEIPT.stages[0]) },
    { budget: null },
    { padding: "x".repeat(5000) },
  ])("that is none is dropped: %o", (changes) => {
    expect(read(changes)).toBeUndefined();
  });

  test.each(["", "{", "null", "[]", "5"])("is not %s", (text) => {
    expect(readReceipt(text)).toBeUndefined();
  });

  test("loses the stages that make no sense", () => {
    const stages = [
      null,
      { name: "wing", start: 0, end: 1 },
      { name: "llm", start: 5, end: 1 },
      { name: "tts", start: 1, end: 2 },
    ];
    expect(read({ stages })?.stages).toEqual([{ name: "tts", start: 1, end: 2 }]);
  });
});

describe("a waterfall", () => {
  test("is as wide as the budget and shows overlap where it is", () => {
    const { milliseconds, bars, limit } = waterfall(read({})!);
    expect(milliseconds).toBe(1000);
    expect(limit).toBeUndefined();
    const rounded = (place: number) => Number(place.toFixed(3));
    expect(bars.map(({ name, left, width }) => [name, rounded(left), rounded(width)])).toEqual([
      ["uplink", 0, 0.025],
      ["turn", 0.125, 0.1],
      ["stt", 0.025, 0.175],
      ["llm", 0.205, 0.145],
      ["output", 0.45, 0.05],
    ]);
  });

  test("of a slow turn is as wide as the turn and shows where the budget ended", () => {
    const { bars, limit } = waterfall(read({ budget: { total: 500 }, broke: "llm" })!);
    expect(limit).toBe(0.5);
    expect(bars.filter(({ slow }) => slow).map(({ name }) => name)).toEqual(["llm"]);
    expect(Math.max(...bars.map(({ left, width }) => left + width))).toBe(1);
  });

  test("has times as people write them", () => {
    expect(TEXTS.en.receipt.seconds(912)).toBe("0.91 s");
    expect(TEXTS.fr.receipt.seconds(912)).toBe("0,91 s");
  });
});

describe("speech", () => {
  const RATE = 48_000;

  function hear(parts: readonly (readonly [level: number, seconds: number])[], piece: number) {
    const events: (readonly [string, number])[] = [];
    const onset = new Onset(RATE, {
      onStart: (at) => events.push(["start", at]),
      onStop: (at) => events.push(["stop", at]),
    });
    const samples = parts.flatMap(([level, seconds]) =>
      Array.from({ length: RATE * seconds }, (_, index) => level * Math.sin(index / 5)),
    );
    for (let at = 0; at < samples.length; at += piece) {
      const part = Float32Array.from(samples.slice(at, at + piece));
      onset.push(part, (at + part.length) / RATE);
    }
    return events.map(([what, at]) => [what, Number(at.toFixed(2))]);
  }

  test.each([480, 1000, 8192])("is found to a hundredth of a second in pieces of %i", (piece) => {
    const parts = [
      [0, 0.5],
      [0.2, 0.4],
      [0, 0.1], // a pause within it
      [0.2, 0.3],
      [0, 0.5],
    ] as const;
    expect(hear(parts, piece)).toEqual([
      ["start", 0.51],
      ["stop", 1.3],
    ]);
  });

  test("is more than a click, and louder than a quiet room", () => {
    const parts = [
      [0, 0.2],
      [0.5, 0.03],
      [0.001, 0.5],
    ] as const;
    expect(hear(parts, 1000)).toEqual([]);
  });
});
