/** Joins what the person sees and presses with the call. */

import "./style.css";

import { Call } from "./call";
import { CallMemory } from "./call-memory";
import { CallView } from "./call-view";
import { CodeForm } from "./code-form";
import { DevicePicker } from "./device-picker";
import { element } from "./dom";
import { MessageForm } from "./message-form";
import { chooseSpeaker } from "./microphone";
import { Preferences } from "./preferences";
import { ProgressView } from "./progress-view";
import { ReadinessWatch } from "./readiness";
import { Shelf } from "./shelf";
import { translatePage } from "./static-texts";
import { LANGUAGES, TEXTS } from "./texts";
import { TranscriptView } from "./transcript-view";

const lasting = new Shelf(() => localStorage);
const memory = new CallMemory(new Shelf(() => sessionStorage));
const preferences = new Preferences(lasting, navigator.language);
const texts = TEXTS[preferences.language];

let call: Call | undefined;
/** Whether a call would get its agent at once, as far as the server has told. */
let ready = true;

const callView = new CallView(texts, {
  onCall: () => (call ? call.hangUp() : begin()),
  onMute: (muted) => void call?.setMuted(muted),
});
const transcript = new TranscriptView(texts);
const messages = new MessageForm(texts, async (text) => call?.send(text));
const progress = new ProgressView(texts);
const readiness = new ReadinessWatch((preparation) => {
  ready = preparation.ready;
  progress.show(preparation);
  call?.expectAgent(ready);
});
const codeForm = new CodeForm(lasting, begin);
const devices = new DevicePicker(texts, preferences, (kind, id) => {
  void (kind === "speaker" ? chooseSpeaker(callView.audio, id) : call?.useMicrophone(id));
});
const languages = element("language", HTMLSelectElement);

languages.addEventListener("change", () => {
  preferences.language = LANGUAGES.find((code) => code === languages.value) ?? "en";
  const chosen = TEXTS[preferences.language];
  translatePage(preferences.language);
  for (const part of [callView, transcript, messages, devices, progress]) part.translate(chosen);
});

function begin(): void {
  transcript.clear();
  for (const line of memory.call?.lines ?? []) transcript.show(line);
  callView.showMuted(memory.call?.muted ?? false);
  codeForm.show(false);
  call = new Call(
    {
      audio: callView.audio,
      language: preferences.language,
      microphone: preferences.device("microphone"),
      code: codeForm.code,
      memory,
    },
    {
      onState: (state) => {
        callView.showState(state);
        // It may be gone since it was last said to be there.
        if (state === "waiting" || state === "agent-lost") readiness.begin();
        messages.allow(["idle", "listening", "thinking", "speaking"].includes(state));
      },
      onMicrophone: () => void devices.refresh(),
      onLevel: (speaker, level) => callView.showLevel(speaker, level),
      onLine: (line) => transcript.show(line),
      onReceipt: (receipt) => transcript.showReceipt(receipt),
      onEnd: (problem) => {
        call = undefined;
        messages.allow(false);
        codeForm.show(problem === "code-needed");
        callView.showIdle(problem);
      },
    },
  );
  call.expectAgent(ready);
  void call.start();
}

languages.value = preferences.language;
translatePage(preferences.language);
void chooseSpeaker(callView.audio, preferences.device("speaker"));
readiness.begin();
if (memory.call) begin();
