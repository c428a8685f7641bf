import { ConnectionError, DisconnectReason } from "livekit-client";
import { expect, test } from "vitest";

import {
  accessProblem,
  CallProblem,
  disconnectProblem,
  microphoneProblem,
  problemOf,
} from "../src/problems";

test.each([
  ["NotAllowedError", "microphone-refused"],
  ["NotFoundError", "microphone-missing"],
  ["NotReadableError", "microphone-busy"],
  ["SomethingElse", "unexpected"],
])("a microphone that fails with %s is %s", (name, kind) => {
  expect(microphoneProblem(new DOMException("", name))).toBe(kind);
});

test.each([
  [401, false, "code-needed"],
  [401, true, "code-needed"],
  [403, false, "token-refused"],
  [403, true, "call-over"],
  [429, false, "too-many-calls"],
  [500, false, "token-refused"],
])("a refusal of the page's server with %i (rejoining: %s) is %s", (status, rejoining, kind) => {
  expect(accessProblem(status, rejoining)).toBe(kind);
});

test.each([
  [DisconnectReason.DUPLICATE_IDENTITY, "call-elsewhere"],
  [DisconnectReason.ROOM_DELETED, "call-over"],
  [DisconnectReason.SERVER_SHUTDOWN, "connection-lost"],
  [undefined, "connection-lost"],
])("a call that the server ends with reason %s is %s", (reason, kind) => {
  expect(disconnectProblem(reason)).toBe(kind);
});

test("what ended the attempt is named", () => {
  expect(problemOf(new CallProblem("no-agent"))).toBe("no-agent");
  expect(problemOf(ConnectionError.serverUnreachable("down"))).toBe("livekit-unreachable");
  expect(problemOf(ConnectionError.notAllowed("expired", 401))).toBe("token-expired");
  expect(problemOf(new Error("bug"))).toBe("unexpected");
});
