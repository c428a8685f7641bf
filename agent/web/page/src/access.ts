/** Asks the page's server for the way into a call. */

import { accessProblem, CallProblem } from "./problems";

const TOKEN_URL = "/token";
const REJOIN_URL = "/token/rejoin";

export interface Access {
  readonly serverUrl: string;
  readonly token: string;
}

/**
 * Opens a new call.
 *
 * @param language - the agent greets in it
 * @param code - the access code, where one is needed
 */
export function newCall(language: string, code: string | undefined): Promise<Access> {
  const metadata = JSON.stringify({ language });
  return ask(TOKEN_URL, { room_config: { agents: [{ metadata }] } }, code);
}

/**
 * Opens the way back into a call that still runs.
 *
 * @param token - the one that the call was opened with
 * @param code - the access code, where one is needed
 */
export function runningCall(token: string, code: string | undefined): Promise<Access> {
  return ask(REJOIN_URL, { participant_token: token }, code);
}

async function ask(url: string, body: object, code: string | undefined): Promise<Access> {
  let response: Response;
  try {
    response = await fetch(url, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        ...(code && { Authorization: `Bearer ${code}` }),
      },
      body: JSON.stringify(body),
    });
  } catch (error) {
    throw new CallProblem("page-server-unreachable", error);
  }
  if (!response.ok) throw new CallProblem(accessProblem(response.status, url === REJOIN_URL));
  const answer = (await response.json()) as { server_url: string; participant_token: string };
  return { serverUrl: answer.server_url, token: answer.participant_token };
}
