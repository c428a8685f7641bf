/** Every sentence that the page shows, in each language. */

import type { CallState } from "./call-state";
import type { ProblemKind } from "./problems";
import type { PartState } from "./readiness";
import type { StageName } from "./receipt";
import type { Speaker } from "./transcript";

export const LANGUAGES = ["en", "fr"] as const;

export type Language = (typeof LANGUAGES)[number];

/** What elements of index.html may name in `data-text`. */
export type PageText =
  | "tagline"
  | "language"
  | "call"
  | "hangUp"
  | "mute"
  | "devices"
  | "microphone"
  | "speaker"
  | "code"
  | "transcript"
  | "message"
  | "send"
  | "licences";

export interface ProgressTexts {
  /** While no call can be answered. */
  readonly preparing: string;
  /** While calls are answered by what is there. */
  readonly better: string;
  /** By the group of parts that can do the same. */
  readonly part: Readonly<Partial<Record<string, string>>>;
  readonly state: Readonly<Record<PartState, string>>;
  /** Both in megabytes. */
  readonly amount: (done: string, total: string) => string;
  readonly left: (time: string) => string;
}

export interface ReceiptTexts {
  readonly answered: (time: string) => string;
  readonly slow: (stage: string) => string;
  readonly stage: Readonly<Record<StageName, string>>;
  /** Both get milliseconds. */
  readonly seconds: (value: number) => string;
  readonly milliseconds: (value: number) => string;
}

export interface Texts {
  readonly page: Readonly<Record<PageText, string>>;
  readonly messageHint: string;
  readonly messageLost: string;
  readonly emptyTranscript: string;
  readonly defaultDevice: string;
  readonly state: Readonly<Record<CallState | "idle-page", string>>;
  readonly speaker: Readonly<Record<Speaker, string>>;
  readonly progress: ProgressTexts;
  readonly receipt: ReceiptTexts;
  readonly problem: Readonly<Record<ProblemKind, string>>;
}

function times(language: string): Pick<ReceiptTexts, "seconds" | "milliseconds"> {
  const digits = { minimumFractionDigits: 2, maximumFractionDigits: 2 };
  const seconds = new Intl.NumberFormat(language, digits);
  const whole = new Intl.NumberFormat(language, { maximumFractionDigits: 0 });
  return {
    seconds: (value) => `${seconds.format(value / 1000)} s`,
    milliseconds: (value) => `${whole.format(value)} ms`,
  };
}

export const TEXTS: Readonly<Record<Language, Texts>> = {
  en: {
    page: {
      tagline: "A voice agent that runs on your own machines.",
      language: "Language",
      call: "Call",
      hangUp: "Hang up",
      mute: "Mute",
      devices: "Audio devices",
      microphone: "Microphone",
      speaker: "Speaker",
      transcript: "Transcript",
      message: "Message",
      send: "Send",
      code: "Access code",
      licences: "Third-party licences",
    },
    messageHint: "Or type to the agent",
    messageLost: "The message was not sent. Try again when the connection is back.",
    emptyTranscript: "What you and the agent say appears here.",
    defaultDevice: "System default",
    state: {
      "idle-page": "Ready when you are",
      connecting: "Connecting…",
      waiting: "Waiting for the agent…",
      held: "The agent is still getting ready. Your call begins as soon as it is.",
      "agent-lost": "The agent was lost. Waiting for it to come back…",
      reconnecting: "The connection is interrupted. Reconnecting…",
      initializing: "The agent is getting ready…",
      idle: "The agent is waiting",
      listening: "Listening",
      thinking: "Thinking…",
      speaking: "Speaking",
    },
    speaker: { user: "You", agent: "Agent" },
    progress: {
      preparing: "The agent is getting ready",
      better: "The agent answers already. On its way:",
      part: {
        disk: "Disk",
        gpu: "Graphics card",
        stt: "Hearing",
        tts: "Voice",
        llm: "Language model",
      },
      state: {
        missing: "waiting",
        downloading: "downloading",
        verifying: "being checked",
        loading: "loading",
        warming: "warming up",
        failed: "failed",
      },
      amount: (done, total) => `${done} of ${total} MB`,
      left: (time) => `${time} left`,
    },
    receipt: {
      answered: (time) => `Answered in ${time}`,
      slow: (stage) => `slow: ${stage}`,
      stage: {
        uplink: "On the way there",
        vad: "Silence noticed",
        turn: "Turn over",
        stt: "Hearing",
        llm: "Thinking",
        clause: "First phrase",
        tts: "Voice",
        packet: "Sending",
        output: "On the way back",
      },
      ...times("en"),
    },
    problem: {
      "microphone-refused":
        "The microphone was refused. Allow it for this page in your browser's settings, then call again.",
      "microphone-missing": "No microphone was found. Connect one, then call again.",
      "microphone-busy":
        "The microphone could not be opened. Close other programs that use it, then call again.",
      "microphone-insecure":
        "Browsers offer the microphone only on secure pages. Open this page over HTTPS or as localhost.",
      "page-server-unreachable":
        "The server of this page does not answer. Check that Eloquence is still running.",
      "code-needed":
        "This page needs the access code that the terminal shows beside the page's address.",
      "token-refused": "The server refused the call. Its log says why.",
      "token-expired":
        "The permission for this call is not valid any more. Call again; if that does not help, check this device's clock.",
      "too-many-calls": "Too many calls were asked for from here. Wait a minute, then call again.",
      "livekit-unreachable":
        "The call server does not answer. Check that LiveKit is running and can be reached from here.",
      "no-agent":
        "No agent answered within 10 seconds. All may be busy or still starting: call again in a moment.",
      "agent-left": "The agent left the call and did not come back. Call again to go on.",
      "call-over": "The call is over. Call again to start a new one.",
      "call-elsewhere": "The call goes on in another tab or window.",
      "connection-lost": "The connection to the call was lost. Call again to go on.",
      unexpected: "Something unexpected went wrong. Reload the page and call again.",
    },
  },
  fr: {
    page: {
      tagline: "Un agent vocal qui tourne sur vos propres machines.",
      language: "Langue",
      call: "Appeler",
      hangUp: "Raccrocher",
      mute: "Muet",
      devices: "Appareils audio",
      microphone: "Micro",
      speaker: "Haut-parleur",
      transcript: "Transcription",
      message: "Message",
      send: "Envoyer",
      code: "Code d'accès",
      licences: "Licences tierces",
    },
    messageHint: "Ou écrivez à l'agent",
    messageLost: "Le message n'est pas parti. Réessayez quand la connexion sera rétablie.",
    emptyTranscript: "Ce que vous dites et ce que dit l'agent s'affiche ici.",
    defaultDevice: "Choix du système",
    state: {
      "idle-page": "Prêt quand vous l'êtes",
      connecting: "Connexion…",
      waiting: "En attente de l'agent…",
      held: "L'agent se prépare encore. Votre appel commencera dès qu'il sera prêt.",
      "agent-lost": "L'agent a disparu. En attente de son retour…",
      reconnecting: "La connexion est interrompue. Reconnexion…",
      initializing: "L'agent se prépare…",
      idle: "L'agent attend",
      listening: "À l'écoute",
      thinking: "Réflexion…",
      speaking: "L'agent parle",
    },
    speaker: { user: "Vous", agent: "Agent" },
    progress: {
      preparing: "L'agent se prépare",
      better: "L'agent répond déjà. En route :",
      part: {
        disk: "Disque",
        gpu: "Carte graphique",
        stt: "Écoute",
        tts: "Voix",
        llm: "Modèle de langage",
      },
      state: {
        missing: "en attente",
        downloading: "téléchargement",
        verifying: "vérification",
        loading: "chargement",
        warming: "mise en route",
        failed: "échec",
      },
      amount: (done, total) => `${done} sur ${total} Mo`,
      left: (time) => `encore ${time}`,
    },
    receipt: {
      answered: (time) => `Réponse en ${time}`,
      slow: (stage) => `lent : ${stage}`,
      stage: {
        uplink: "Trajet aller",
        vad: "Silence constaté",
        turn: "Fin du tour",
        stt: "Écoute",
        llm: "Réflexion",
        clause: "Premiers mots",
        tts: "Voix",
        packet: "Envoi",
        output: "Trajet retour",
      },
      ...times("fr"),
    },
    problem: {
      "microphone-refused":
        "Le micro a été refusé. Autorisez-le pour cette page dans les réglages du navigateur, puis rappelez.",
      "microphone-missing": "Aucun micro n'a été trouvé. Branchez-en un, puis rappelez.",
      "microphone-busy":
        "Le micro n'a pas pu être ouvert. Fermez les autres programmes qui l'utilisent, puis rappelez.",
      "microphone-insecure":
        "Les navigateurs ne donnent le micro qu'aux pages sûres. Ouvrez cette page en HTTPS ou sur localhost.",
      "page-server-unreachable":
        "Le serveur de cette page ne répond pas. Vérifiez qu'Eloquence tourne toujours.",
      "code-needed":
        "Cette page demande le code d'accès que le terminal montre à côté de son adresse.",
      "token-refused": "Le serveur a refusé l'appel. Son journal dit pourquoi.",
      "token-expired":
        "L'autorisation de cet appel n'est plus valable. Rappelez ; si cela ne suffit pas, vérifiez l'heure de cet appareil.",
      "too-many-calls":
        "Trop d'appels ont été demandés d'ici. Attendez une minute, puis rappelez.",
      "livekit-unreachable":
        "Le serveur d'appel ne répond pas. Vérifiez que LiveKit tourne et qu'il est joignable d'ici.",
      "no-agent":
        "Aucun agent n'a répondu en 10 secondes. Tous sont peut-être occupés ou démarrent encore : rappelez dans un instant.",
      "agent-left": "L'agent a quitté l'appel et n'est pas revenu. Rappelez pour continuer.",
      "call-over": "L'appel est terminé. Rappelez pour en commencer un autre.",
      "call-elsewhere": "L'appel continue dans un autre onglet ou une autre fenêtre.",
      "connection-lost": "La connexion à l'appel est perdue. Rappelez pour continuer.",
      unexpected: "Une erreur inattendue s'est produite. Rechargez la page, puis rappelez.",
    },
  },
};
