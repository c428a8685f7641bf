/** Why a call could not be placed or did not last, in terms that a person can act on. */

import {
  ConnectionError,
  ConnectionErrorReason,
  DisconnectReason,
  MediaDeviceFailure,
} from "livekit-client";

export type ProblemKind =
  | "microphone-refused"
  | "microphone-missing"
  | "microphone-busy"
  | "microphone-insecure"
  | "page-server-unreachable"
  | "code-needed"
  | "token-refused"
  | "token-expired"
  | "too-many-calls"
  | "livekit-unreachable"
  | "no-agent"
  | "agent-left"
  | "call-over"
  | "call-elsewhere"
  | "connection-lost"
  | "unexpected";

/** An error whose cause the person is told. */
export class CallProblem extends Error {
  readonly kind: ProblemKind;

  constructor(kind: ProblemKind, cause?: unknown) {
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

/**
 * Names the reason for which the page's server gave no token.
 *
 * @param status - what it answered
 * @param rejoining - whether the token was to be for a call that runs already
 */
export function accessProblem(status: number, rejoining: boolean): ProblemKind {
  if (status === 401) return "code-needed";
  if (status === 429) return "too-many-calls";
  return rejoining ? "call-over" : "token-refused";
}

/** Names the reason for which the call server ended a call that was under way. */
export function disconnectProblem(reason: DisconnectReason | undefined): ProblemKind {
  switch (reason) {
    case DisconnectReason.DUPLICATE_IDENTITY:
      return "call-elsewhere";
    case DisconnectReason.ROOM_DELETED:
    case DisconnectReason.ROOM_CLOSED:
    case DisconnectReason.PARTICIPANT_REMOVED:
      return "call-over";
    default:
      return "connection-lost";
  }
}

/** Names the problem behind any error that ended an attempt to call. */
export function problemOf(error: unknown): ProblemKind {
  if (error instanceof CallProblem) return error.kind;
  if (!(error instanceof ConnectionError)) return "unexpected";
  return error.reason === ConnectionErrorReason.NotAllowed ? "token-expired" : "livekit-unreachable";
}
