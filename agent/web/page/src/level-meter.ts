/** Measures how loud a track is, a few times in every syllable. */

import { createAudioAnalyser, type LocalAudioTrack, type RemoteAudioTrack } from "livekit-client";

const INTERVAL_MS = 60;
/** Decibels below full scale: the noise of a quiet room, and a voice close to the microphone. */
const QUIET_DB = -55;
const LOUD_DB = -15;

export class LevelMeter {
  readonly #onLevel: (level: number) => void;
  #stop: (() => void) | undefined;

  /** @param onLevel - gets 0 for silence up to 1 for a loud voice */
  constructor(onLevel: (level: number) => void) {
    this.#onLevel = onLevel;
  }

  /** Measures this track from now on, instead of an earlier one. */
  watch(track: LocalAudioTrack | RemoteAudioTrack): void {
    this.stop();
    const { analyser, cleanup } = createAudioAnalyser(track);
    const samples = new Float32Array(analyser.fftSize);
    const timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      this.#onLevel(loudness(samples));
    }, INTERVAL_MS);
    this.#stop = () => {
      clearInterval(timer);
      void cleanup();
      this.#onLevel(0);
    };
  }

  stop(): void {
    this.#stop?.();
    this.#stop = undefined;
  }
}

/** Tells how loud samples of -1 to 1 sound: 0 for silence up to 1 for a loud voice. */
export function loudness(samples: Float32Array): number {
  const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
  const decibels = 10 * Math.log10(power);
  return Math.min(1, Math.max(0, (decibels - QUIET_DB) / (LOUD_DB - QUIET_DB)));
}
