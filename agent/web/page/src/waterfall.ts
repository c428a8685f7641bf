/** Works out where the bars of a waterfall are. */

import { type Receipt, STAGES, type StageName } from "./receipt";

/** Places are fractions of the width. */
export interface Bar {
  readonly name: StageName;
  readonly left: number;
  readonly width: number;
  readonly milliseconds: number;
  /** It made the turn too slow. */
  readonly slow: boolean;
}

export interface Waterfall {
  readonly milliseconds: number;
  readonly bars: readonly Bar[];
  /** Where the budget ends; undefined where the turn kept it, as the right edge is that end. */
  readonly limit: number | undefined;
}

/**
 * Returns the waterfall of a turn. The width is the turn's budget, or the turn where that is longer,
 * so that waterfalls can be compared.
 */
export function waterfall({ begin, end, stages, budget, broke }: Receipt): Waterfall {
  const milliseconds = end - begin;
  const width = Math.max(milliseconds, budget, 1);
  const place = (time: number) => Math.min(1, Math.max(0, (time - begin) / width));
  const bars = STAGES.flatMap((name) =>
    stages
      .filter((stage) => stage.name === name)
      .map((stage) => ({
        name,
        left: place(stage.start),
        width: place(stage.end) - place(stage.start),
        milliseconds: stage.end - stage.start,
        slow: name === broke,
      })),
  );
  return { milliseconds, bars, limit: milliseconds > budget ? budget / width : undefined };
}
