/**
 * The calls as the node knows them: which of its calls each of ours is, through which service it comes, who is there
 * now. What only the node can do (park, merge) is asked of it by that name.
 */
import { type List, api } from "../server/api";
import { listenTo } from "../server/events";
import type { Conversation } from "./conversation";
import { telephoneNow } from "./store";

interface Party {
  readonly leg: string;
  readonly number: string;
  readonly name: string;
  /** The Call-ID of its dialog with the node. */
  readonly dialog: string;
  readonly may_record: boolean;
}

interface NodeCall {
  readonly id: string;
  readonly dialled: string;
  readonly service: string;
  readonly recorded: "" | "on" | "stopped";
  readonly stoppable: boolean;
  /** The others of a conference. */
  readonly conference: readonly string[];
  readonly parties: readonly Party[];
}

interface Done {
  readonly call: string;
  readonly place: string;
}

export type Asked =
  | { readonly verb: "merge" | "join"; readonly other: string }
  | { readonly verb: "park" }
  | { readonly verb: "record"; readonly on: boolean };

const EVENTS = ["CallRinging", "CallAnswered", "LegLeft", "LegStarted", "CallEnded", "RecordingChanged"];
const SOON_MS = 150;

export class NodeCalls {
  private due: ReturnType<typeof setTimeout> | undefined;
  private changed: () => void = () => undefined;

  /** find: the conversation of a Call-ID. */
  constructor(private readonly find: (callId: string) => Conversation | undefined) {}

  /** Look whenever something happens to a call of ours; returns how to stop. */
  follow(changed: () => void): () => void {
    this.changed = changed;
    const stop = listenTo(EVENTS, () => {
      this.due ??= setTimeout(() => {
        this.due = undefined;
        void this.look();
      }, SOON_MS);
    });
    return () => {
      stop();
      clearTimeout(this.due);
    };
  }

  /** Read what the node knows. What can't be read isn't known. */
  async look(): Promise<void> {
    if (telephoneNow().calls.every((call) => call.state === "ended")) return;
    let calls: readonly NodeCall[];
    try {
      calls = (await api.get<List<NodeCall>>("/calls", { query: { who: telephoneNow().extension } })).items;
    } catch {
      return; // told by the line, which is away as well
    }
    for (const call of calls) {
      for (const party of call.parties) {
        const ours = this.find(party.dialog);
        if (ours === undefined) continue;
        const others = call.parties.filter((one) => one !== party);
        ours.nodeCall = call.id;
        ours.through = call.service;
        ours.recorded = call.recorded;
        ours.mayStopRecording = call.stoppable;
        ours.mayRecord = party.may_record;
        ours.conference = call.conference;
        const [other] = others;
        if (others.length === 1 && other !== undefined && other.number !== "") ours.met(other);
      }
    }
    this.changed();
  }

  /** Have the node do something with a call. Raises ServerProblem. */
  ask(call: Conversation, asked: Asked, other: Conversation | undefined): Promise<Done> {
    const path = `/calls/${encodeURIComponent(call.nodeCall)}`;
    switch (asked.verb) {
      case "merge":
      case "join":
        return api.post<Done>(`${path}/${asked.verb}`, { other: other?.nodeCall ?? "" });
      case "park":
        return api.post<Done>(`${path}/park`, {});
      case "record":
        return api.post<Done>(`${path}/recording`, { on: asked.on });
    }
  }
}
