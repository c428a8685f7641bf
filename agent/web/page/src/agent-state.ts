/** What the agent says it is doing, in its participant attribute `lk.agent.state`. */

const STATES = ["initializing", "idle", "listening", "thinking", "speaking"] as const;

export type AgentState = (typeof STATES)[number];

/** Reads the state from a participant's attributes; undefined before the agent has set one. */
export function agentState(attributes: Readonly<Record<string, string>>): AgentState | undefined {
  const value = attributes["lk.agent.state"];
  return STATES.find((state) => state === value);
}
