/** One call: microphone, room, the agent's voice and words, from dialling to hanging up. */

import {
  type LocalAudioTrack,
  type RemoteParticipant,
  type RemoteTrack,
  RemoteAudioTrack,
  Room,
  RoomEvent,
  setLogLevel,
  TrackEvent,
} from "livekit-client";

import { newCall, runningCall } from "./access";
import type { CallMemory } from "./call-memory";
import { type CallState, callState } from "./call-state";
import { LevelMeter } from "./level-meter";
import { openMicrophone, switchMicrophone } from "./microphone";
import { disconnectProblem, microphoneProblem, type ProblemKind, problemOf } from "./problems";
import type { Receipt } from "./receipt";
import { Receipts } from "./receipts";
import { type Line, type Speaker, Transcript, TRANSCRIPTION_TOPIC } from "./transcript";

// By default the library reports every room and track in the console.
setLogLevel("warn");

const CHAT_TOPIC = "lk.chat";
/** An agent that does not come soon does not come: all are busy, or none is running. */
const AGENT_JOINS_MS = 10_000;
/** The machine has just begun to work, and the server calls an agent more than once. */
const AGENT_JOINS_HELD_MS = 30_000;
/** An agent that was lost is called again by the server, once a worker is there. */
const AGENT_RETURNS_MS = 60_000;

export interface CallOptions {
  /** Plays the agent's voice. */
  readonly audio: HTMLAudioElement;
  /** The agent greets in it. */
  readonly language: string;
  /** Id of the microphone; empty for the default one. */
  readonly microphone: string;
  /** The access code, where one is needed. */
  readonly code: string | undefined;
  /** Holds the call to go on with, if there is one; keeps this one for the next page. */
  readonly memory: CallMemory;
}

export interface CallEvents {
  onState(state: CallState): void;
  /** The microphone is open, so the browser now tells the names of all devices. */
  onMicrophone(): void;
  onLevel(speaker: Speaker, level: number): void;
  onLine(line: Line): void;
  onReceipt(receipt: Receipt): void;
  /** The call is over; without a problem, because the person hung up. Comes exactly once. */
  onEnd(problem?: ProblemKind): void;
}

export class Call {
  // A page that is left may be a page that is reloaded, which comes back into the room.
  readonly #room = new Room({ disconnectOnPageLeave: false });
  readonly #options: CallOptions;
  readonly #events: CallEvents;
  readonly #resumed: boolean;
  readonly #ownLevel: LevelMeter;
  readonly #agentLevel: LevelMeter;
  readonly #receipts: Receipts;
  #microphone: LocalAudioTrack | undefined;
  #muted: boolean;
  #state: CallState | undefined;
  #met = false;
  #agentTimer: number | undefined;
  #awaited = true;
  #held = false;
  #ended = false;

  /**
   * @param options - what the person has chosen
   * @param events - what the page wants to know
   */
  constructor(options: CallOptions, events: CallEvents) {
    this.#options = options;
    this.#events = events;
    this.#resumed = options.memory.call !== undefined;
    this.#muted = options.memory.call?.muted ?? false;
    this.#ownLevel = new LevelMeter((level) => events.onLevel("user", level));
    this.#agentLevel = new LevelMeter((level) => events.onLevel("agent", level));
    this.#receipts = new Receipts(this.#room, (receipt) => events.onReceipt(receipt));
    const transcript = new Transcript((line) => this.#show(line));
    this.#room.registerTextStreamHandler(TRANSCRIPTION_TOPIC, (reader, { identity }) => {
      const own = identity === this.#room.localParticipant.identity;
      void transcript.read(reader, own ? "user" : "agent");
    });
    const refresh = () => this.#refresh();
    this.#room
      .on(RoomEvent.TrackSubscribed, (track, _, participant) => this.#hear(track, participant))
      .on(RoomEvent.ConnectionStateChanged, refresh)
      .on(RoomEvent.ParticipantConnected, refresh)
      .on(RoomEvent.ParticipantAttributesChanged, refresh)
      .on(RoomEvent.ParticipantDisconnected, refresh);
  }

  /** Places the call, or goes on with it; whatever happens is told through the events. */
  async start(): Promise<void> {
    this.#refresh();
    try {
      await this.#connect();
    } catch (error) {
      const problem = problemOf(error);
      if (problem === "unexpected") console.error(error);
      this.#end(problem);
    }
  }

  /**
   * Tells whether an agent could come now. Until one can, the server holds the call.
   *
   * @param awaited - whether one can
   */
  expectAgent(awaited: boolean): void {
    this.#awaited = awaited;
    this.#refresh();
  }

  hangUp(): void {
    this.#end();
  }

  /** While muted, no sound leaves this machine. */
  async setMuted(muted: boolean): Promise<void> {
    this.#muted = muted;
    this.#options.memory.mute(muted);
    await this.#adjust((microphone) => (muted ? microphone.mute() : microphone.unmute()));
  }

  /** @param id - of another microphone; empty for the default one */
  async useMicrophone(id: string): Promise<void> {
    await this.#adjust((microphone) => switchMicrophone(microphone, id));
  }

  /**
   * Sends the agent a typed message.
   *
   * @throws Error - the connection broke meanwhile
   */
  async send(text: string): Promise<void> {
    const { id } = await this.#room.localParticipant.sendText(text, { topic: CHAT_TOPIC });
    this.#show({ id, speaker: "user", text, final: true });
  }

  async #connect(): Promise<void> {
    const { memory, microphone: id, language, code } = this.#options;
    // The microphone comes first: without it no room and no agent need be bothered.
    const microphone = await openMicrophone(id);
    if (this.#ended) return microphone.stop();
    this.#microphone = microphone;
    if (this.#muted) await microphone.mute();
    this.#events.onMicrophone();
    this.#watch(microphone);
    // As happens when another device is chosen, or the one in use is unplugged.
    microphone.on(TrackEvent.Restarted, () => this.#watch(microphone));
    const { serverUrl, token } = await (memory.call
      ? runningCall(memory.call.token, code)
      : newCall(language, code));
    if (this.#ended) return;
    await this.#room.connect(serverUrl, token);
    if (this.#ended) return;
    memory.open(token, this.#muted);
    // Not earlier: the room also reports a connection that never was as disconnected.
    this.#room.on(RoomEvent.Disconnected, (reason) => this.#end(disconnectProblem(reason)));
    await this.#room.localParticipant.publishTrack(microphone);
  }

  #watch(microphone: LocalAudioTrack): void {
    this.#ownLevel.watch(microphone);
    this.#receipts.watchOwn(microphone);
  }

  async #adjust(change: (microphone: LocalAudioTrack) => Promise<unknown>): Promise<void> {
    if (!this.#microphone) return;
    try {
      await change(this.#microphone);
    } catch (error) {
      // The microphone is closed by now; a caller who is not heard should know.
      this.#end(microphoneProblem(error));
    }
  }

  #refresh(): void {
    if (this.#ended) return;
    const participants = [...this.#room.remoteParticipants.values()];
    const agents = participants.filter(({ isAgent }) => isAgent);
    this.#met ||= agents.length > 0;
    const state = callState(
      this.#room.state,
      agents.map(({ attributes }) => attributes),
      this.#met,
      this.#awaited,
    );
    if (state === this.#state) return;
    this.#state = state;
    window.clearTimeout(this.#agentTimer);
    this.#held ||= state === "held";
    if (state === "waiting") {
      const patience = this.#held ? AGENT_JOINS_HELD_MS : AGENT_JOINS_MS;
      this.#endAfter(patience, this.#resumed ? "call-over" : "no-agent");
    } else if (state === "agent-lost") {
      this.#endAfter(AGENT_RETURNS_MS, "agent-left");
    }
    this.#events.onState(state);
  }

  #endAfter(milliseconds: number, problem: ProblemKind): void {
    this.#agentTimer = window.setTimeout(() => this.#end(problem), milliseconds);
  }

  #hear(track: RemoteTrack, participant: RemoteParticipant): void {
    if (!participant.isAgent || !(track instanceof RemoteAudioTrack)) return;
    track.attach(this.#options.audio);
    this.#agentLevel.watch(track);
    this.#receipts.watchAgent(track);
  }

  #show(line: Line): void {
    this.#options.memory.add(line);
    this.#events.onLine(line);
  }

  #end(problem?: ProblemKind): void {
    if (this.#ended) return;
    this.#ended = true;
    window.clearTimeout(this.#agentTimer);
    this.#options.memory.close();
    this.#ownLevel.stop();
    this.#agentLevel.stop();
    this.#receipts.stop();
    this.#microphone?.stop();
    this.#options.audio.srcObject = null;
    void this.#room.disconnect();
    this.#events.onEnd(problem);
  }
}
