import { ConnectionState } from "livekit-client";
import { expect, test } from "vitest";

import { callState } from "../src/call-state";

const SPEAKING = { "lk.agent.state": "speaking" };
const LISTENING = { "lk.agent.state": "listening" };

test.each([ConnectionState.Disconnected, ConnectionState.Connecting])(
  "a call that is %s is being placed",
  (connection) => {
    expect(callState(connection, [], false)).toBe("connecting");
  },
);

test.each([ConnectionState.Reconnecting, ConnectionState.SignalReconnecting])(
  "a connection that is %s is said to be, whatever the agent did last",
  (connection) => {
    expect(callState(connection, [SPEAKING], true)).toBe("reconnecting");
  },
);

test("an agent that has not come yet is waited for", () => {
  expect(callState(ConnectionState.Connected, [], false)).toBe("waiting");
});

test("a call for which no agent can come yet is held", () => {
  expect(callState(ConnectionState.Connected, [], false, false)).toBe("held");
  expect(callState(ConnectionState.Connected, [], true, false)).toBe("agent-lost");
});

test("an agent that was there before is missed", () => {
  expect(callState(ConnectionState.Connected, [], true)).toBe("agent-lost");
});

test("of two agents the latest counts, which takes the place of the other", () => {
  expect(callState(ConnectionState.Connected, [SPEAKING, LISTENING], true)).toBe("listening");
});

test.each([[{}], [{ "lk.agent.state": "dancing" }]])(
  "an agent that tells no state that the page knows is getting ready",
  (attributes) => {
    expect(callState(ConnectionState.Connected, [attributes], true)).toBe("initializing");
  },
);
