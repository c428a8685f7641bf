/** The person's microphone and the other devices to choose from. */

import { createLocalAudioTrack, type LocalAudioTrack } from "livekit-client";

import type { DeviceKind } from "./preferences";
import { CallProblem, microphoneProblem } from "./problems";

/** Names that Chromium lists beside the devices themselves. */
const ALIASES = ["", "default", "communications"];

/**
 * Opens a microphone.
 *
 * @param id - the one to use; empty, and when that one has gone, the default
 * @throws CallProblem - there is none, or it is refused or in use
 */
export async function openMicrophone(id: string): Promise<LocalAudioTrack> {
  if (!window.isSecureContext) throw new CallProblem("microphone-insecure");
  try {
    return await createLocalAudioTrack({
      autoGainControl: true,
      echoCancellation: true,
      noiseSuppression: true,
      ...(id && { deviceId: { exact: id } }),
    });
  } catch (error) {
    if (id && isMissing(error)) return openMicrophone("");
    throw new CallProblem(microphoneProblem(error), error);
  }
}

/**
 * Lets a track go on with another microphone.
 *
 * @param id - the one to use; empty, and when that one has gone, the default
 */
export async function switchMicrophone(track: LocalAudioTrack, id: string): Promise<void> {
  try {
    await track.setDeviceId(id ? { exact: id } : "default");
  } catch (error) {
    if (!id || !isMissing(error)) throw error;
    await track.setDeviceId("default");
  }
}

/** Lists the devices of a kind; none before the person has let the page use a microphone. */
export async function listDevices(kind: DeviceKind): Promise<MediaDeviceInfo[]> {
  if (!window.isSecureContext) return [];
  const wanted = kind === "microphone" ? "audioinput" : "audiooutput";
  const all = await navigator.mediaDevices.enumerateDevices();
  return all.filter((device) => device.kind === wanted && !ALIASES.includes(device.deviceId));
}

/** Whether this browser lets a page choose where it is heard. */
export const CAN_CHOOSE_SPEAKER = "setSinkId" in HTMLMediaElement.prototype;

/** Plays an element on a speaker where the browser allows that; on the default one if that has been unplugged. */
export async function chooseSpeaker(audio: HTMLAudioElement, id: string): Promise<void> {
  if (!CAN_CHOOSE_SPEAKER) return;
  try {
    await audio.setSinkId(id);
  } catch (error) {
    if (!isMissing(error)) throw error;
    await audio.setSinkId("");
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && ["NotFoundError", "OverconstrainedError"].includes(error.name);
}
