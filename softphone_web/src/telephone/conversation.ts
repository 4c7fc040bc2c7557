/**
 * One call of this telephone: its dialog by JsSIP, and what is shown of it.
 *
 *     ringing ──answer──> opening ──sound──> talking <──back── returning ──> ended
 *     calling ──answered──┘                     └──network──────┘
 *
 * What a network breaks is mended here: first by new ICE credentials in the same dialog (an ICE restart), then by
 * taking the dialog's place (RFC 3891), which is also how a page that was loaded again takes up its calls. JsSIP would
 * end a call in these cases; `terminate` is kept from it.
 */
import type { EndEvent, IncomingEvent, OutgoingEvent, RTCSession } from "jssip/lib/RTCSession";

import { CallSound } from "./call_sound";
import { endingOf } from "./ending";
import { type Identity, identityOf } from "./identity";
import { type DialogId, type KeptCall, type LeftCall, replaces } from "./keeping";
import type { Line } from "./line";
import type { CallState, Ending, PhoneCall } from "./shapes";

/** What a call needs of the telephone around it. */
export interface Around {
  readonly line: () => Line | undefined;
  readonly changed: () => void;
  readonly ended: (call: Conversation) => void;
  /** Do something once the line is open. */
  readonly later: (work: () => void) => void;
}

/** What JsSIP knows and doesn't declare. */
interface Inside {
  readonly _dialog?: { readonly id: { call_id: string; local_tag: string; remote_tag: string } };
  readonly _request?: { readonly call_id: string };
}
interface Message {
  getHeader: (name: string) => string | undefined;
  getHeaders: (name: string) => string[];
  readonly status_code?: number;
  readonly body?: string | null;
}
type Originator = "local" | "remote" | "system";

const MENDED = new Set(["RTP Timeout", "WebRTC Error", "Connection Error", "Request Timeout"]);
const DISCONNECTED_MS = 1500;
const RESTART_MS = 5000;
const AGAIN_MS = 2000;
const PATIENCE_MS = 40_000;
const SETTLE_MS = 200;
const MOST_SETTLES = 50;
const BUSY = 486;
const DECLINED = 603;

export class Conversation {
  readonly direction: "in" | "out";
  readonly sound: CallSound;
  state: CallState;
  number: string;
  name: string;
  through = "";
  nodeCall = "";
  startedAt = Date.now() / 1000;
  answeredAt: number | undefined;
  isHeld = false;
  isHeldThere = false;
  recorded: PhoneCall["recorded"] = "";
  mayStopRecording = false;
  mayRecord = false;
  conference: readonly string[] = [];
  place = "";
  /** It is to become one with another one: which of the two ends isn't told. */
  isMerging = false;
  ringsThere = false;
  isTransferring = false;
  ending: Ending | undefined;
  private session: RTCSession | undefined;
  private dialog: DialogId | undefined;
  private disturbedAt: number | undefined;
  private mending: ReturnType<typeof setTimeout> | undefined;
  private settling: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly around: Around,
    from: Pick<PhoneCall, "direction" | "number" | "name" | "state">,
    readonly id: string = crypto.randomUUID(),
  ) {
    this.direction = from.direction;
    this.number = from.number;
    this.name = from.name;
    this.state = from.state;
    this.sound = new CallSound(id, () => this.session?.connection, around.changed);
  }

  /** One that a page before this one was in. */
  static taken(around: Around, kept: KeptCall): Conversation {
    const call = new Conversation(around, { ...kept, state: "returning" }, kept.id);
    call.through = kept.through;
    call.startedAt = kept.startedAt;
    call.answeredAt = kept.answeredAt;
    call.isHeld = kept.isHeld;
    call.sound.mute(kept.isMuted);
    call.dialog = kept.dialog;
    call.disturbedAt = Date.now();
    return call;
  }

  /** One that a page before this one left, unanswered. */
  static left(around: Around, { number, name }: LeftCall): Conversation {
    const call = new Conversation(around, { direction: "out", number, name, state: "ended" });
    call.ending = "reloaded";
    return call;
  }

  shown(): PhoneCall {
    return {
      id: this.id,
      direction: this.direction,
      state: this.state,
      number: this.number,
      name: this.name,
      through: this.through,
      startedAt: this.startedAt,
      answeredAt: this.answeredAt,
      isHeld: this.isHeld,
      isHeldThere: this.isHeldThere,
      isMuted: this.sound.isMuted,
      isListening: this.sound.isListening,
      recorded: this.recorded,
      mayStopRecording: this.mayStopRecording,
      mayRecord: this.mayRecord,
      conference: this.conference,
      place: this.place,
      ringsThere: this.ringsThere,
      isTransferring: this.isTransferring,
      video: { isOurs: this.sound.isShown, isTheirs: this.sound.isSeen },
      quality: this.sound.quality,
      ending: this.ending,
      nodeCall: this.nodeCall,
    };
  }

  /** What the next page needs to take it up; undefined where it can't. */
  kept(): KeptCall | undefined {
    const { dialog, answeredAt } = this;
    if (dialog === undefined || answeredAt === undefined || this.isOver) return undefined;
    const { id, direction, number, name, through, startedAt, isHeld } = this;
    const { isMuted } = this.sound;
    return { id, dialog, direction, number, name, through, startedAt, answeredAt, isHeld, isMuted };
  }

  get callId(): string {
    return this.inside()?._request?.call_id ?? this.dialog?.callId ?? "";
  }

  get isOver(): boolean {
    return this.state === "ended";
  }

  /** Whether somebody is at the other end, and not on hold. */
  get isOpen(): boolean {
    return ["opening", "talking", "returning"].includes(this.state) && !this.isHeld;
  }

  // Beginning

  /** Call. Raises MicrophoneProblem: a call in which one isn't heard isn't begun. */
  async dial({ video }: { video: boolean }): Promise<void> {
    await this.sound.openMicrophone();
    if (video) await this.sound.openCamera();
    const line = this.around.line();
    if (this.isOver) this.sound.close(); // given up meanwhile
    else if (line === undefined) this.end("lost");
    else this.begin(line.call(this.number, this.sound.options()));
  }

  /** A call that comes in: `session` rings. */
  rings(session: RTCSession): void {
    this.attach(session);
    session.on("peerconnection", ({ peerconnection }) => this.wire(peerconnection));
  }

  /** Answer. Raises MicrophoneProblem, unless one only listens: then it rings on. */
  async answer({ listen, video }: { listen: boolean; video: boolean }): Promise<void> {
    if (this.state !== "ringing") return;
    if (listen) this.sound.isListening = true;
    else await this.sound.openMicrophone();
    if (video) await this.sound.openCamera();
    if (this.session?.isInProgress() !== true) {
      this.sound.close(); // who called has given up meanwhile
      return;
    }
    this.become("opening");
    this.session.answer({ ...this.sound.options(), pcConfig: this.around.line()?.network() ?? {} });
  }

  /** It came to nothing before anything was sent. */
  giveUp(ending: Ending): void {
    this.end(ending);
  }

  // The dialog

  private begin(session: RTCSession): void {
    this.attach(session);
    this.wire(session.connection);
  }

  private wire(connection: RTCPeerConnection): void {
    this.sound.wire(connection);
    connection.addEventListener("connectionstatechange", () => {
      if (connection === this.session?.connection) this.connectionChanged(connection.connectionState);
    });
  }

  private attach(session: RTCSession): void {
    this.session = session;
    const isOurs = () => session === this.session;
    const terminate = session.terminate.bind(session);
    session.terminate = (options) => {
      if (isOurs() && MENDED.has(options?.cause ?? "") && session.isEstablished()) this.disturbed();
      else terminate(options);
    };
    // The gateway finds out where we are by itself (RFC 8445 section 2.5): nothing has to be waited for.
    session.on("icecandidate", ({ ready }) => ready());
    session.on("progress", (event: IncomingEvent | OutgoingEvent) => {
      if (isOurs()) this.progressed(answerIn(event));
    });
    session.on("accepted", (event: IncomingEvent | OutgoingEvent) => {
      if (isOurs()) this.accepted(answerIn(event));
    });
    session.on("confirmed", () => {
      if (isOurs()) this.confirmed();
    });
    session.on("hold", ({ originator }) => {
      if (isOurs() && (originator as Originator) === "remote") this.heldThere(true);
    });
    session.on("unhold", ({ originator }) => {
      if (isOurs() && (originator as Originator) === "remote") this.heldThere(false);
    });
    for (const kind of ["reinvite", "update"] as const) {
      session.on(kind, ({ request }) => {
        if (isOurs()) this.identify(request);
      });
    }
    session.on("failed", (event) => {
      if (isOurs()) this.failed(event);
    });
    session.on("ended", (event) => {
      if (isOurs()) this.hungUp(event);
    });
  }

  private progressed(answer: Message | undefined): void {
    // What comes with a description is to be heard, and not our own tone.
    if (this.state === "calling") this.ringsThere = (answer?.body ?? "") === "";
    this.around.changed();
  }

  private accepted(answer: Message | undefined): void {
    this.ringsThere = false;
    this.answeredAt ??= Date.now() / 1000;
    if (answer !== undefined) this.identify(answer);
    if (this.state !== "returning") this.become("opening");
  }

  private confirmed(): void {
    const id = this.inside()?._dialog?.id;
    if (id !== undefined) this.dialog = { callId: id.call_id, localTag: id.local_tag, remoteTag: id.remote_tag };
    if (this.session?.connection.connectionState === "connected") this.back();
    this.settle();
    this.around.changed();
  }

  private identify(message: Message): void {
    const found = identityOf(message.getHeader("P-Asserted-Identity"));
    if (found === undefined || found.number === "") return;
    this.met(found);
    this.around.changed();
  }

  /** Who is at the other end now: another one, after a transfer. */
  met({ number, name }: Identity): void {
    if (number === this.number && name === "") return;
    this.number = number;
    this.name = name === number ? "" : name;
  }

  private heldThere(isHeld: boolean): void {
    this.isHeldThere = isHeld;
    this.around.changed();
  }

  private failed(event: EndEvent): void {
    const message = event.message as Message | null;
    const by = event.originator as Originator;
    const isIn = this.direction === "in";
    if (this.disturbedAt !== undefined) this.notTakenUp(message?.status_code);
    else if (by === "local") this.end(isIn ? "declined" : "given_up");
    else if (by === "system") this.end("lost");
    else {
      const reasons = message?.getHeaders("Reason") ?? [];
      const status = isIn ? undefined : message?.status_code;
      this.end(endingOf({ status, reasons }, isIn ? "given_up" : "over"));
    }
  }

  private hungUp(event: EndEvent): void {
    const message = event.message as Message | null;
    const isLocal = (event.originator as Originator) === "local";
    if (isLocal) this.end(this.isTransferring ? "transferred" : "over");
    else this.end(endingOf({ status: undefined, reasons: message?.getHeaders("Reason") ?? [] }, "over"));
  }

  // In it

  hangUp(): void {
    const { session } = this;
    const wasRinging = this.state === "ringing";
    // The node hears of it when the line is back.
    this.around.later(() => {
      if (session?.isEnded() === false) session.terminate(wasRinging ? { status_code: DECLINED } : {});
    });
    this.end(wasRinging ? "declined" : this.answeredAt === undefined ? "given_up" : "over");
  }

  /** Refuse it as busy, which leads to where the person sends calls that find them so: the mailbox. */
  refuseAsBusy(): void {
    if (this.state === "ringing") this.session?.terminate({ status_code: BUSY });
    this.end("declined");
  }

  /** The other one waits at a place now, and can be taken back from there. */
  parked(place: string): void {
    this.place = place;
    if (this.isOver) this.ending = "parked";
    this.around.changed();
  }

  hold(isHeld: boolean): void {
    this.isHeld = isHeld;
    this.around.changed();
    this.settle();
  }

  mute(isMuted: boolean): void {
    this.sound.mute(isMuted);
    this.around.changed();
  }

  async showVideo(isShown: boolean): Promise<void> {
    if (isShown === this.sound.isShown) return;
    await this.sound.show(isShown);
    this.session?.renegotiate();
    this.around.changed();
  }

  /** Send the other one to an address; told: how it goes on. */
  refer(address: string, told: (how: "done" | "failed") => void): void {
    const failed = () => {
      this.isTransferring = false;
      this.around.changed();
      told("failed");
    };
    const accepted = () => {
      told("done");
      if (this.session?.isEnded() === false) this.session.terminate();
    };
    this.isTransferring = true;
    this.session?.refer(address, { eventHandlers: { requestFailed: failed, accepted, failed } });
    this.around.changed();
  }

  /** The address of the other end of this dialog, to be put in its place (RFC 3891 within RFC 3515). */
  inPlaceOf(line: Line): string | undefined {
    if (this.dialog === undefined) return undefined;
    const value = replaces(this.dialog).slice("Replaces: ".length);
    return `${line.address(this.target)}?Replaces=${encodeURIComponent(value)}`;
  }

  private get target(): string {
    return this.number === "" ? "anonymous" : this.number;
  }

  /** Bring the dialog to what is wanted, once nothing else is being agreed on. */
  private settle(left = MOST_SETTLES): void {
    clearTimeout(this.settling);
    const { session } = this;
    if (session?.isEstablished() !== true || session.isOnHold().local === this.isHeld || left === 0) return;
    if (session.isReadyToReOffer() && this.state !== "returning") {
      if (this.isHeld) session.hold();
      else session.unhold();
    }
    this.settling = setTimeout(() => this.settle(left - 1), SETTLE_MS);
  }

  /** Read how it sounds; called every two seconds or so. */
  async listen(): Promise<void> {
    if (this.state === "talking") await this.sound.read(!this.isHeld && !this.isHeldThere);
  }

  // The network

  private connectionChanged(state: RTCPeerConnectionState): void {
    clearTimeout(this.mending);
    if (state === "connected") this.back();
    else if (state === "disconnected") this.mending = setTimeout(() => this.disturbed(), DISCONNECTED_MS);
    else if (state === "failed") this.disturbed();
  }

  private back(): void {
    if (this.answeredAt === undefined) return; // what is heard before an answer
    this.disturbedAt = undefined;
    this.sound.forget();
    this.become("talking");
    this.settle();
  }

  /** The sound is cut: say so, and mend it as soon as there is a line. */
  disturbed(): void {
    if (this.isOver || this.answeredAt === undefined) return;
    this.disturbedAt ??= Date.now();
    this.become("returning");
    this.mend();
  }

  /** The line is open again, or anew. */
  lineOpened(): void {
    if (this.disturbedAt !== undefined) this.mend();
  }

  private mend(): void {
    clearTimeout(this.mending);
    if (this.isOver || this.disturbedAt === undefined) return;
    if (Date.now() - this.disturbedAt > PATIENCE_MS) {
      this.end("lost");
      return;
    }
    const { session } = this;
    if (this.around.line()?.isOpen() !== true) this.mending = setTimeout(() => this.mend(), AGAIN_MS);
    else if (
      session?.isEstablished() === true &&
      session.connection.connectionState !== "closed" &&
      session.renegotiate({ rtcOfferConstraints: { iceRestart: true } }, () => this.restarted(session))
    ) {
      this.mending = setTimeout(() => void this.takeUp(), RESTART_MS);
    } else void this.takeUp();
  }

  private restarted(session: RTCSession): void {
    // A path that was never cut has nothing to come back to.
    if (session !== this.session || session.connection.connectionState !== "connected") return;
    clearTimeout(this.mending);
    this.back();
  }

  /** Take the place of our own dialog by a new one. */
  private async takeUp(): Promise<void> {
    await this.sound.openMicrophone().catch(() => {
      this.sound.isListening = true;
    });
    const line = this.around.line();
    if (this.isOver || this.disturbedAt === undefined) return;
    if (line?.isOpen() !== true || this.dialog === undefined) {
      this.mending = setTimeout(() => this.mend(), AGAIN_MS);
      return;
    }
    this.session?.connection.close();
    this.begin(line.call(this.target, { ...this.sound.options(), extraHeaders: [replaces(this.dialog)] }));
  }

  private notTakenUp(status: number | undefined): void {
    const isRefused = status !== undefined && status >= 400 && status !== 408 && status < 500;
    this.session = undefined;
    if (isRefused) this.end("lost");
    else this.mending = setTimeout(() => this.mend(), AGAIN_MS);
  }

  // The end

  /** Stop without a word to the node: another tab takes it up. */
  leave(): void {
    this.session?.connection.close();
    this.session = undefined;
    this.end("elsewhere", { isQuiet: true });
  }

  private become(state: CallState): void {
    if (this.isOver) return;
    this.state = state;
    this.around.changed();
  }

  private end(ending: Ending, { isQuiet = false } = {}): void {
    if (this.isOver) return;
    clearTimeout(this.mending);
    clearTimeout(this.settling);
    this.ending = this.place === "" ? ending : "parked";
    this.state = "ended";
    this.sound.close();
    if (!isQuiet) this.around.ended(this);
    this.around.changed();
  }

  private inside(): Inside | undefined {
    return this.session as unknown as Inside | undefined;
  }
}

/** The answer that came with an event; our own answers have none. */
function answerIn(event: IncomingEvent | OutgoingEvent): Message | undefined {
  const answer: Message | null = "response" in event ? event.response : null;
  return answer ?? undefined;
}
