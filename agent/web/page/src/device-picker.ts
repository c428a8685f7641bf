/** Lets the person choose a microphone and, where the browser can, a speaker. */

import { element } from "./dom";
import { CAN_CHOOSE_SPEAKER, listDevices } from "./microphone";
import type { DeviceKind, Preferences } from "./preferences";
import type { Texts } from "./texts";

const KINDS: readonly DeviceKind[] = ["microphone", "speaker"];

export class DevicePicker {
  readonly #preferences: Preferences;
  readonly #selects = {
    microphone: element("microphone", HTMLSelectElement),
    speaker: element("speaker", HTMLSelectElement),
  };
  #texts: Texts;

  /**
   * @param preferences - hold what has been chosen
   * @param onChoice - another device was chosen; an empty id is the default one
   */
  constructor(
    texts: Texts,
    preferences: Preferences,
    onChoice: (kind: DeviceKind, id: string) => void,
  ) {
    this.#texts = texts;
    this.#preferences = preferences;
    for (const kind of KINDS) {
      const select = this.#selects[kind];
      select.addEventListener("change", () => {
        preferences.setDevice(kind, select.value);
        onChoice(kind, select.value);
      });
    }
    const row = this.#selects.speaker.closest("label");
    if (row) row.hidden = !CAN_CHOOSE_SPEAKER;
    // Absent where the page is not secure; no device can be used there either.
    navigator.mediaDevices?.addEventListener("devicechange", () => void this.refresh());
    void this.refresh();
  }

  translate(texts: Texts): void {
    this.#texts = texts;
    void this.refresh();
  }

  /** Lists what is connected now. */
  async refresh(): Promise<void> {
    for (const kind of KINDS) {
      const devices = await listDevices(kind);
      const options = devices.map(({ label, deviceId }) => new Option(label, deviceId));
      const select = this.#selects[kind];
      select.replaceChildren(new Option(this.#texts.defaultDevice, ""), ...options);
      const chosen = this.#preferences.device(kind);
      select.value = devices.some(({ deviceId }) => deviceId === chosen) ? chosen : "";
    }
  }
}
