import { ConnectionError } from "livekit-client";
import { expect, test } from "vitest";

import { agentState } from "../src/agent-state";
import { CallProblem, microphoneProblem, problemOf, tokenProblem } from "../src/problems";

test.each([
  ["NotAllowedError", "microphone-refused"],
  ["NotFoundError", "microphone-missing"],
  ["NotReadableError", "microphone-busy"],
  ["SomethingElse", "unexpected"],
])("a microphone that fails with %s is %s", (name, kind) => {
  expect(microphoneProblem(new DOMException("", name))).toBe(kind);
});

test("nobody answering /token is told apart from a refusal", () => {
  expect(tokenProblem(new TypeError("Failed to fetch"))).toBe("page-server-unreachable");
  expect(tokenProblem(new Error("received 403"))).toBe("token-refused");
});

test("what ended the attempt is named", () => {
  expect(problemOf(new CallProblem("no-agent", undefined))).toBe("no-agent");
  expect(problemOf(ConnectionError.serverUnreachable("down"))).toBe("livekit-unreachable");
  expect(problemOf(new Error("bug"))).toBe("unexpected");
});

test("an agent's state is one that the page knows", () => {
  expect(agentState({ "lk.agent.state": "thinking" })).toBe("thinking");
  expect(agentState({ "lk.agent.state": "dancing" })).toBeUndefined();
  expect(agentState({})).toBeUndefined();
});
