/**
 * A visitor's call, from pressing the button to the end; watched by the panel that shows it.
 *
 *     idle ──call──> opening ──> waiting ──> calling ──> talking ──> over
 *                       └──────────────────────┘
 */
import { Conversation } from "../telephone/conversation";
import { MicrophoneProblem, openMicrophone } from "../telephone/devices";
import { Line } from "../telephone/line";
import type { Ending, PhoneCall } from "../telephone/shapes";
import { type Turn, VisitProblem, askTurn } from "./visit";

export type VisitState = "idle" | "opening" | "waiting" | "calling" | "talking" | "returning" | "over";

export interface Visit {
  readonly state: VisitState;
  readonly before: number;
  readonly isMuted: boolean;
  readonly answeredAt: number | undefined;
  /** Why it is over, or why it can't begin: a key of the panel's words, "" for nothing. */
  readonly why: string;
}

const ASK_AGAIN_MS = 3000;
const CONNECT_MS = 10_000;
const IDLE: Visit = { state: "idle", before: 0, isMuted: false, answeredAt: undefined, why: "" };
const WHY: Readonly<Partial<Record<Ending, string>>> = {
  over: "ended",
  given_up: "ended",
  no_answer: "no_answer",
  unreachable: "no_answer",
  busy: "busy",
  declined: "busy",
  lost: "lost",
};

export class VisitorCall {
  now: Visit = IDLE;
  private line: Line | undefined;
  private call: Conversation | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly watchers = new Set<() => void>();

  constructor(private readonly language: string) {}

  readonly watch = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };

  readonly shown = (): Visit => this.now;

  /** Call: first the microphone, which only a press may ask for, then one's turn. */
  async begin(): Promise<void> {
    this.become({ ...IDLE, state: "opening" });
    try {
      for (const track of (await openMicrophone()).getTracks()) track.stop();
      await this.ask();
    } catch (failure) {
      if (failure instanceof MicrophoneProblem) this.over(failure.trouble);
      else this.over(failure instanceof VisitProblem ? failure.why : "not_possible");
    }
  }

  /** Hang up, or wait no more. */
  end(): void {
    clearTimeout(this.timer);
    if (this.call === undefined) this.become(IDLE);
    else this.call.hangUp();
  }

  mute(isMuted: boolean): void {
    this.call?.mute(isMuted);
  }

  press(key: string): void {
    this.call?.sound.digits(key);
  }

  private async ask(): Promise<void> {
    const turn = await askTurn();
    if (this.now.state === "idle") return; // given up meanwhile
    if (turn.state === "closed") this.over("closed");
    else if (turn.state === "call") this.dial(turn);
    else {
      this.become({ ...IDLE, state: "waiting", before: turn.before });
      this.timer = setTimeout(() => void this.again(), ASK_AGAIN_MS);
    }
  }

  private async again(): Promise<void> {
    try {
      await this.ask();
    } catch (failure) {
      if (failure instanceof VisitProblem && failure.why === "away") {
        this.timer = setTimeout(() => void this.again(), ASK_AGAIN_MS);
      } else this.over(failure instanceof VisitProblem ? failure.why : "not_possible");
    }
  }

  private dial(turn: Turn): void {
    this.become({ ...IDLE, state: "calling" });
    const { domain, username, password, expires_at, ice_servers, ice_policy } = turn;
    const credentials = { extension: "", name: "", domain, sign_in: "visitor", username, password, expires_at, ice_servers, ice_policy };
    const call = new Conversation(
      {
        line: () => this.line,
        changed: () => this.changed(call.shown()),
        ended: () => this.ended(call.ending),
        later: (work) => work(),
      },
      { direction: "out", number: turn.service, name: "", state: "calling" },
    );
    this.call = call;
    let hasBegun = false;
    const begin = () => {
      clearTimeout(this.timer);
      if (hasBegun) call.lineOpened();
      else {
        hasBegun = true;
        call.dial({ video: false }).catch(() => call.giveUp("no_microphone"));
      }
    };
    const silent = { lost: () => undefined, refused: () => undefined, rings: () => undefined };
    this.line = new Line(credentials, { ...silent, opened: begin }, "", "/sip", [`Accept-Language: ${this.language}`]);
    this.line.open();
    this.timer = setTimeout(() => call.giveUp("lost"), CONNECT_MS);
  }

  private changed(call: PhoneCall): void {
    if (this.call === undefined || call.state === "ended") return;
    const { isMuted, answeredAt } = call;
    const state = call.state === "returning" ? "returning" : call.state === "talking" ? "talking" : "calling";
    this.become({ ...this.now, state, isMuted, answeredAt });
  }

  private ended(ending: Ending | undefined): void {
    const line = this.line;
    this.line = this.call = undefined;
    setTimeout(() => line?.close(), 500); // what it still has to say leaves first
    this.over(WHY[ending ?? "over"] ?? "not_possible");
  }

  private over(why: string): void {
    clearTimeout(this.timer);
    this.become({ ...IDLE, state: "over", why });
  }

  private become(next: Visit): void {
    this.now = next;
    for (const watcher of this.watchers) watcher();
  }
}
