import { expect, test } from "vitest";

import { loudness } from "../src/level-meter";

test.each([
  ["silence", 0, 0],
  ["the noise of a room", 0.001, 0],
  ["a voice", 0.02, 0.5],
  ["a loud voice", 0.2, 1],
  ["the loudest sound there is", 1, 1],
])("%s has its place between silence and loud", (_, amplitude, level) => {
  expect(loudness(new Float32Array(64).fill(amplitude))).toBeCloseTo(level, 1);
});
