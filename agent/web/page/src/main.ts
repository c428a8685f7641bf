/** Joins view and call. */

import "./style.css";

import { Call } from "./call";
import { View } from "./view";

let call: Call | undefined;

const view = new View(() => {
  if (call) {
    call.hangUp();
    return;
  }
  view.clearTranscript();
  view.showConnecting();
  call = new Call(view.audio, {
    onConnected: () => view.showWaiting(),
    onAgentState: (state) => view.showAgentState(state),
    onLine: (line) => view.showLine(line),
    onEnd: (problem) => {
      call = undefined;
      view.showIdle(problem);
    },
  });
  void call.start();
});
