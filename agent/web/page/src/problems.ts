/** Why a call could not be placed or did not last, in terms that a person can act on. */

import { ConnectionError, MediaDeviceFailure } from "livekit-client";

export type ProblemKind =
  | "microphone-refused"
  | "microphone-missing"
  | "microphone-busy"
  | "microphone-insecure"
  | "page-server-unreachable"
  | "token-refused"
  | "livekit-unreachable"
  | "no-agent"
  | "agent-left"
  | "connection-lost"
  | "unexpected";

/** An error whose cause the person is told. */
export class CallProblem extends Error {
  readonly kind: ProblemKind;

  constructor(kind: ProblemKind, cause: unknown) {
    super(kind, { cause });
    this.kind = kind;
  }
}

/** Names the reason for which `getUserMedia` failed. */
export function microphoneProblem(error: unknown): ProblemKind {
  switch (MediaDeviceFailure.getFailure(error)) {
    case MediaDeviceFailure.PermissionDenied:
      return "microphone-refused";
    case MediaDeviceFailure.NotFound:
      return "microphone-missing";
    case MediaDeviceFailure.DeviceInUse:
      return "microphone-busy";
    default:
      return "unexpected";
  }
}

/** Names the reason for which `/token` gave none: `fetch` throws TypeError when nobody answers. */
export function tokenProblem(error: unknown): ProblemKind {
  return error instanceof TypeError ? "page-server-unreachable" : "token-refused";
}

/** Names the problem behind any error that ended an attempt to call. */
export function problemOf(error: unknown): ProblemKind {
  if (error instanceof CallProblem) return error.kind;
  if (error instanceof ConnectionError) return "livekit-unreachable";
  return "unexpected";
}
