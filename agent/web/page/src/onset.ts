/**
 * When somebody speaks, judged by level alone: as the scripted caller of the project does it, so
 * that both measure the same.
 *
 * Sound is cut into frames of 10 ms. Speech starts with the first frame of a run of 60 ms above
 * -45 dBFS, and ends with its last loud frame once it has been quieter for 200 ms.
 */

const LOUD_DBFS = -45;
const FRAME_SECONDS = 0.01;
const RUN_FRAMES = 6;
const GAP_FRAMES = 20;

const LOUD_POWER = 10 ** (LOUD_DBFS / 10);

export interface OnsetEvents {
  /** @param at - when the first loud frame was complete, in seconds of the samples' clock */
  onStart(at: number): void;
  /** @param at - when the last loud frame was complete */
  onStop(at: number): void;
}

export class Onset {
  readonly #events: OnsetEvents;
  readonly #size: number;
  #power = 0;
  #count = 0;
  #run = 0;
  #gap = 0;
  #last = 0;
  #speaking = false;

  /** @param rate - samples per second */
  constructor(rate: number, events: OnsetEvents) {
    this.#size = Math.round(rate * FRAME_SECONDS);
    this.#events = events;
  }

  /**
   * Takes the samples that follow.
   *
   * @param samples - of -1 to 1
   * @param end - when the last of them was heard
   */
  push(samples: Float32Array, end: number): void {
    const step = FRAME_SECONDS / this.#size;
    for (let index = 0; index < samples.length; index += 1) {
      const sample = samples[index] ?? 0;
      this.#power += sample * sample;
      this.#count += 1;
      if (this.#count === this.#size) {
        this.#frame(this.#power / this.#size > LOUD_POWER, end - (samples.length - 1 - index) * step);
        this.#power = this.#count = 0;
      }
    }
  }

  #frame(loud: boolean, at: number): void {
    if (loud) {
      this.#run += 1;
      this.#gap = 0;
      this.#last = at;
      if (!this.#speaking && this.#run === RUN_FRAMES) {
        this.#speaking = true;
        this.#events.onStart(at - (RUN_FRAMES - 1) * FRAME_SECONDS);
      }
      return;
    }
    this.#run = 0;
    this.#gap += 1;
    if (this.#speaking && this.#gap === GAP_FRAMES) {
      this.#speaking = false;
      this.#events.onStop(this.#last);
    }
  }
}
