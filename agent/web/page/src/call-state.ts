/** What a call is doing, told from its connection and from the agents in it. */

import { ConnectionState } from "livekit-client";

import { type AgentState, agentState } from "./agent-state";

export type CallState =
  | "connecting"
  | "waiting"
  | "held"
  | "agent-lost"
  | "reconnecting"
  | AgentState;

/**
 * Tells the state.
 *
 * @param connection - to the call server
 * @param agents - attributes of the agents that are in the call, the latest last
 * @param met - whether an agent has been there before
 * @param awaited - whether one could come now; the call is held until then
 */
export function callState(
  connection: ConnectionState,
  agents: readonly Readonly<Record<string, string>>[],
  met: boolean,
  awaited = true,
): CallState {
  switch (connection) {
    case ConnectionState.Disconnected:
    case ConnectionState.Connecting:
      return "connecting";
    case ConnectionState.Reconnecting:
    case ConnectionState.SignalReconnecting:
      return "reconnecting";
    case ConnectionState.Connected: {
      const agent = agents.at(-1);
      if (agent) return agentState(agent) ?? "initializing";
      if (met) return "agent-lost";
      return awaited ? "waiting" : "held";
    }
  }
}
