/** Every sentence that the page shows. */

import type { AgentState } from "./agent-state";
import type { ProblemKind } from "./problems";
import type { Speaker } from "./transcript";

export const texts = {
  call: "Call",
  hangUp: "Hang up",
  idle: "Ready when you are",
  connecting: "Connecting…",
  waitingForAgent: "Waiting for the agent…",
  emptyTranscript: "What you and the agent say appears here.",

  agentState: {
    initializing: "The agent is getting ready…",
    idle: "The agent is waiting",
    listening: "Listening",
    thinking: "Thinking…",
    speaking: "Speaking",
  } satisfies Record<AgentState, string>,

  speaker: {
    user: "You",
    agent: "Agent",
  } satisfies Record<Speaker, string>,

  problem: {
    "microphone-refused":
      "The microphone was refused. Allow it for this page in your browser's settings, then call again.",
    "microphone-missing": "No microphone was found. Connect one, then call again.",
    "microphone-busy":
      "The microphone could not be opened. Close other programs that use it, then call again.",
    "microphone-insecure":
      "Browsers offer the microphone only on secure pages. Open this page over HTTPS or as localhost.",
    "page-server-unreachable":
      "The server of this page does not answer. Check that Eloquence is still running.",
    "token-refused": "The server refused the call. Its log says why.",
    "livekit-unreachable":
      "The call server does not answer. Check that LiveKit is running and can be reached from here.",
    "no-agent":
      "No agent joined within 10 seconds. It may still be loading: look at the terminal, then call again.",
    "agent-left": "The agent left the call. Call again to go on.",
    "connection-lost": "The connection to the call was lost. Call again to go on.",
    unexpected: "Something unexpected went wrong. Reload the page and call again.",
  } satisfies Record<ProblemKind, string>,
};
