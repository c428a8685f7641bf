import { expect, test } from "vitest";

import { describe, partName } from "../src/progress-view";
import { isSettled, readPreparation } from "../src/readiness";
import { TEXTS } from "../src/texts";

const KOKORO = { state: "downloading", message: "kokoro", done: 25e6, total: 100e6, eta: 150 };

function told(worker: object): string {
  return JSON.stringify({ ready: true, components: { worker } });
}

test("what is not ready is told with its bytes, the engine's parts and the language model", () => {
  const { ready, parts } = readPreparation(
    told({
      state: "loading",
      parts: {
        livekit: { state: "loading" },
        engine: { state: "loading", parts: { stt: { state: "ready" }, "tts:kokoro": KOKORO } },
        llm: { state: "loading" },
      },
    }),
  );
  expect(ready).toBe(false);
  expect(parts.map(({ name, state, done }) => [name, state, done])).toEqual([
    ["tts:kokoro", "downloading", 25e6],
    ["llm", "loading", undefined],
  ]);
});

test("without a worker nothing is known, and nothing is settled", () => {
  const preparation = readPreparation(told({ state: "missing" }));
  expect(preparation).toEqual({ ready: false, parts: [] });
  expect(isSettled(preparation)).toBe(false);
});

test("a failure is final, a download is not", () => {
  const parts = { stt: { state: "ready" }, disk: { state: "failed", message: "Free 1 GB." } };
  const failed = readPreparation(told({ state: "ready", parts: { engine: { state: "ready", parts } } }));
  expect(isSettled(failed)).toBe(true);
  expect(describe(failed.parts[0]!, TEXTS.en)).toBe("Free 1 GB.");
  const late = { "tts:kokoro": KOKORO };
  const loading = readPreparation(
    told({ state: "ready", parts: { engine: { state: "ready", parts: late } } }),
  );
  expect(isSettled(loading)).toBe(false);
});

test("people read names, megabytes and time in their language", () => {
  const [part] = readPreparation(
    told({ state: "loading", parts: { engine: { state: "loading", parts: { "tts:kokoro": KOKORO } } } }),
  ).parts;
  expect(partName("tts:kokoro", TEXTS.en)).toBe("Voice (kokoro)");
  expect(partName("livekit", TEXTS.en)).toBe("livekit");
  expect(describe(part!, TEXTS.en)).toBe("downloading, 25 of 100 MB, 3 min left");
  expect(describe(part!, TEXTS.fr)).toBe("téléchargement, 25 sur 100 Mo, encore 3 min");
});
