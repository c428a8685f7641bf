/** Tells the agent what was heard and when, and takes the receipts that it makes of that. */

import {
  type LocalAudioTrack,
  type RemoteAudioTrack,
  type RemoteParticipant,
  type Room,
  RoomEvent,
} from "livekit-client";

import { Ear } from "./ear";
import { type Receipt, readReceipt, RECEIPT_TOPIC } from "./receipt";

const EAR_TOPIC = "eloquence.ear";
const CLOCK_METHOD = "eloquence.clock";

type Report = { readonly heard: number } | { readonly stopped: number };

export class Receipts {
  readonly #room: Room;
  readonly #agent = new Ear({ onStart: (heard) => this.#report({ heard }), onStop: () => {} });
  readonly #own = new Ear({ onStart: () => {}, onStop: (stopped) => this.#report({ stopped }) });

  /**
   * @param room - of the call
   * @param onReceipt - gets the receipt of each turn that was answered
   */
  constructor(room: Room, onReceipt: (receipt: Receipt) => void) {
    this.#room = room;
    // The agent reads this clock to know the times of the reports by its own.
    room.registerRpcMethod(CLOCK_METHOD, () => {
      const now = performance.now();
      return Promise.resolve(JSON.stringify({ received: now, sent: now }));
    });
    room.on(
      RoomEvent.DataReceived,
      (data: Uint8Array, sender?: RemoteParticipant, _kind?: unknown, topic?: string) => {
        if (topic !== RECEIPT_TOPIC || !sender?.isAgent) return;
        const receipt = readReceipt(new TextDecoder().decode(data));
        if (receipt) onReceipt(receipt);
      },
    );
  }

  watchAgent(track: RemoteAudioTrack): void {
    this.#agent.watch(track);
  }

  watchOwn(track: LocalAudioTrack): void {
    this.#own.watch(track);
  }

  stop(): void {
    this.#agent.stop();
    this.#own.stop();
  }

  #report(report: Report): void {
    const data = new TextEncoder().encode(JSON.stringify(report));
    const sent = this.#room.localParticipant.publishData(data, { reliable: true, topic: EAR_TOPIC });
    // Without a connection there is nobody to tell; the call has its own ways to notice that.
    sent.catch((error: unknown) => console.debug("a report was not sent", error));
  }
}
