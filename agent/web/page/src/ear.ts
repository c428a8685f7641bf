/** Listens to a track and tells when speech on it starts and stops, to a hundredth of a second. */

import { createAudioAnalyser, type LocalAudioTrack, type RemoteAudioTrack } from "livekit-client";

import { Onset, type OnsetEvents } from "./onset";

const LOOK_MS = 40;
/** The analyser keeps so many samples, 170 ms at 48 kHz: a look may come late without loss. */
const KEPT_SAMPLES = 8192;
const MILLI = 1000;

export class Ear {
  readonly #events: OnsetEvents;
  #stop: (() => void) | undefined;

  /** @param events - get times of `performance.now`, in milliseconds */
  constructor(events: OnsetEvents) {
    this.#events = {
      onStart: (at) => events.onStart(at * MILLI),
      onStop: (at) => events.onStop(at * MILLI),
    };
  }

  /** Listens to this track from now on, instead of an earlier one. */
  watch(track: LocalAudioTrack | RemoteAudioTrack): void {
    this.stop();
    const { analyser, cleanup } = createAudioAnalyser(track, {
      fftSize: KEPT_SAMPLES,
      smoothingTimeConstant: 0,
    });
    const { context } = analyser;
    const onset = new Onset(context.sampleRate, this.#events);
    const samples = new Float32Array(analyser.fftSize);
    let seen = Math.round(context.currentTime * context.sampleRate);
    const timer = setInterval(() => {
      const now = performance.now() / MILLI;
      const position = Math.round(context.currentTime * context.sampleRate);
      analyser.getFloatTimeDomainData(samples);
      const fresh = Math.min(position - seen, samples.length);
      seen = position;
      if (fresh > 0) onset.push(samples.subarray(samples.length - fresh), now);
    }, LOOK_MS);
    this.#stop = () => {
      clearInterval(timer);
      void cleanup();
    };
  }

  stop(): void {
    this.#stop?.();
    this.#stop = undefined;
  }
}
