/** One call: microphone, token, room and the agent's voice, from dialling to hanging up. */

import {
  createLocalAudioTrack,
  type LocalAudioTrack,
  type Participant,
  type RemoteParticipant,
  type RemoteTrack,
  Room,
  RoomEvent,
  setLogLevel,
  TokenSource,
  Track,
} from "livekit-client";

import { type AgentState, agentState } from "./agent-state";
import { CallProblem, microphoneProblem, type ProblemKind, problemOf, tokenProblem } from "./problems";
import { type Line, Transcript, TRANSCRIPTION_TOPIC } from "./transcript";

// By default the library reports every room and track in the console.
setLogLevel("warn");

const TOKEN_URL = "/token";
const AGENT_TIMEOUT_MS = 10_000;

export interface CallEvents {
  /** The room is joined; the agent is on its way. */
  onConnected(): void;
  onAgentState(state: AgentState): void;
  onLine(line: Line): void;
  /** The call is over; without a problem, because the person hung up. Comes exactly once. */
  onEnd(problem?: ProblemKind): void;
}

export class Call {
  readonly #room = new Room();
  readonly #audio: HTMLAudioElement;
  readonly #events: CallEvents;
  #microphone: LocalAudioTrack | undefined;
  #agentTimer: number | undefined;
  #ended = false;

  /**
   * @param audio - plays the agent's voice
   * @param events - what the page wants to know
   */
  constructor(audio: HTMLAudioElement, events: CallEvents) {
    this.#audio = audio;
    this.#events = events;
    const transcript = new Transcript((line) => events.onLine(line));
    this.#room.registerTextStreamHandler(TRANSCRIPTION_TOPIC, (reader, { identity }) => {
      const own = identity === this.#room.localParticipant.identity;
      void transcript.read(reader, own ? "user" : "agent");
    });
    this.#room
      .on(RoomEvent.TrackSubscribed, (track, _, participant) => this.#hear(track, participant))
      .on(RoomEvent.ParticipantConnected, (participant) => this.#meet(participant))
      .on(RoomEvent.ParticipantAttributesChanged, (_, participant) => this.#follow(participant))
      .on(RoomEvent.ParticipantDisconnected, (participant) => {
        if (participant.isAgent) this.#end("agent-left");
      });
  }

  /** Places the call; whatever happens is told through the events. */
  async start(): Promise<void> {
    try {
      await this.#connect();
    } catch (error) {
      const problem = problemOf(error);
      if (problem === "unexpected") console.error(error);
      this.#end(problem);
    }
  }

  hangUp(): void {
    this.#end();
  }

  async #connect(): Promise<void> {
    // The microphone comes first: without it no room and no agent need be bothered.
    const microphone = await openMicrophone();
    this.#microphone = microphone;
    if (this.#ended) return microphone.stop();
    const { serverUrl, participantToken } = await fetchToken();
    if (this.#ended) return;
    await this.#room.connect(serverUrl, participantToken);
    if (this.#ended) return;
    // Not earlier: the room also reports a connection that never was as disconnected.
    this.#room.on(RoomEvent.Disconnected, () => this.#end("connection-lost"));
    this.#events.onConnected();
    this.#agentTimer = window.setTimeout(() => this.#end("no-agent"), AGENT_TIMEOUT_MS);
    for (const participant of this.#room.remoteParticipants.values()) this.#meet(participant);
    await this.#room.localParticipant.publishTrack(microphone);
  }

  #meet(participant: RemoteParticipant): void {
    if (!participant.isAgent) return;
    window.clearTimeout(this.#agentTimer);
    this.#follow(participant);
  }

  #follow(participant: Participant): void {
    const state = participant.isAgent ? agentState(participant.attributes) : undefined;
    if (state) this.#events.onAgentState(state);
  }

  #hear(track: RemoteTrack, participant: RemoteParticipant): void {
    if (participant.isAgent && track.kind === Track.Kind.Audio) track.attach(this.#audio);
  }

  #end(problem?: ProblemKind): void {
    if (this.#ended) return;
    this.#ended = true;
    window.clearTimeout(this.#agentTimer);
    this.#microphone?.stop();
    this.#audio.srcObject = null;
    void this.#room.disconnect();
    this.#events.onEnd(problem);
  }
}

async function openMicrophone(): Promise<LocalAudioTrack> {
  if (!window.isSecureContext) {
    throw new CallProblem("microphone-insecure", undefined);
  }
  try {
    return await createLocalAudioTrack({
      autoGainControl: true,
      echoCancellation: true,
      noiseSuppression: true,
    });
  } catch (error) {
    throw new CallProblem(microphoneProblem(error), error);
  }
}

async function fetchToken(): Promise<{ serverUrl: string; participantToken: string }> {
  const language = navigator.language.slice(0, 2).toLowerCase();
  try {
    // A new source for each call: a source caches its token, and a token is for one room.
    return await TokenSource.endpoint(TOKEN_URL).fetch({
      agentMetadata: JSON.stringify({ language }),
    });
  } catch (error) {
    throw new CallProblem(tokenProblem(error), error);
  }
}
