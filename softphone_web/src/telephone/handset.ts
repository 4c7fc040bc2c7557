/**
 * The telephone of this tab: its line, its calls, its ringing, and what carries commands out. Loaded when somebody who
 * has a number is signed in, and told by `opening` when it may begin.
 */
import type { RTCSession } from "jssip/lib/RTCSession";
import type { IncomingRequest } from "jssip/lib/SIPMessage";

import { ServerProblem, api } from "../server/api";
import { Conversation } from "./conversation";
import { MicrophoneProblem, watchSound } from "./devices";
import { identityOf } from "./identity";
import { type KeptCall, keep, keepLeft, takeLeft } from "./keeping";
import { type Credentials, Line } from "./line";
import { whenGone } from "./microphone";
import { NodeCalls } from "./node_calls";
import { asksToAnswer, Ringing } from "./ringing";
import type { Command, Said, Trouble } from "./shapes";
import { become, telephoneNow } from "./store";
import { sayEnded, soundKey } from "./tones";

const INSTANCE = "beffroi.instance";
const SHOWN_ENDED_MS = 12_000;
/** Where somebody waits is shown for as long as one may look for who is to take them. */
const SHOWN_PARKED_MS = 300_000;
const MOST_SHOWN_ENDED = 3;
const LISTEN_MS = 2000;
/** A password is renewed this long before its end, or at half of its life. */
const RENEW_SECONDS = 60;
const AGAIN_MS = 1000;
const LONGEST_AGAIN_MS = 60_000;

export class Handset {
  private line: Line | undefined;
  private calls: readonly Conversation[] = [];
  private readonly ringing = new Ringing();
  private readonly nodeCalls = new NodeCalls((call) => this.calls.find((one) => one.callId === call));
  private readonly due: (() => void)[] = [];
  private readonly stops: (() => void)[] = [];
  private renewal: ReturnType<typeof setTimeout> | undefined;
  private againMs = AGAIN_MS;
  private isStopped = false;

  /** Begin, with the calls of a page before this one. */
  start(taken: readonly KeptCall[]): void {
    become({ state: "connecting", troubles: isSecureContext ? [] : ["insecure"] });
    if (!isSecureContext || !("RTCPeerConnection" in window)) {
      become({ state: "refused", troubles: [isSecureContext ? "unsupported" : "insecure"] });
      return;
    }
    const left = takeLeft().map((one) => Conversation.left(this.around, one));
    for (const call of left) setTimeout(() => this.forget(call), SHOWN_ENDED_MS);
    this.calls = [...taken.map((one) => Conversation.taken(this.around, one)), ...left];
    whenGone((trouble) => (trouble === "device_gone" ? this.say("device_gone") : this.trouble(trouble)));
    const timer = setInterval(() => this.look(), LISTEN_MS);
    const online = () => this.networkChanged();
    const offline = () => become({ state: "away" });
    const leaving = () => this.pageGoes();
    addEventListener("online", online);
    addEventListener("offline", offline);
    addEventListener("pagehide", leaving);
    this.stops.push(
      () => clearInterval(timer),
      () => removeEventListener("online", online),
      () => removeEventListener("offline", offline),
      () => removeEventListener("pagehide", leaving),
      watchSound(() => this.calls.forEach((call) => call.sound.follow())),
      this.nodeCalls.follow(() => this.changed()),
    );
    this.changed();
    void this.signOn();
  }

  /** Stop: `isQuiet` without a word to the node, so that another tab can take the calls up; returns those. */
  stop({ isQuiet }: { isQuiet: boolean }): readonly KeptCall[] {
    const kept = this.kept();
    this.isStopped = true;
    clearTimeout(this.renewal);
    this.ringing.hush();
    for (const stop of this.stops) stop();
    if (isQuiet) {
      this.line?.drop();
      for (const call of this.calls) call.leave();
    } else {
      this.line?.close();
      for (const call of this.calls) call.hangUp();
    }
    keep([]);
    return kept;
  }

  private readonly around = {
    line: () => this.line,
    changed: () => this.changed(),
    ended: (call: Conversation) => this.ended(call),
    later: (work: () => void) => {
      if (this.line?.isOpen() === true) work();
      else this.due.push(work);
    },
  };

  // The line

  /** Ask for a password and open the line with it, or give it to the line that is open. */
  private async signOn(): Promise<void> {
    clearTimeout(this.renewal);
    let credentials: Credentials;
    try {
      credentials = await api.post<Credentials>("/telephone");
    } catch (failure) {
      this.notSignedOn(failure);
      return;
    }
    if (this.stopped()) return;
    this.againMs = AGAIN_MS;
    const { extension, name, features } = credentials;
    become({ extension, name, ...(features === undefined ? {} : { features }) });
    const lastsSeconds = credentials.expires_at - Date.now() / 1000;
    const renewSeconds = Math.max(lastsSeconds / 2, lastsSeconds - RENEW_SECONDS);
    this.renewal = setTimeout(() => void this.signOn(), Math.max(renewSeconds, 1) * 1000);
    if (this.line !== undefined) { this.line.renew(credentials); return; }
    this.line = new Line(
      credentials,
      {
        opened: () => this.opened(),
        lost: () => this.lost(),
        refused: (status) => this.refused(status),
        rings: (session, request) => this.rings(session, request),
      },
      instance(),
    );
    this.line.open();
  }

  private stopped(): boolean {
    return this.isStopped;
  }

  private notSignedOn(failure: unknown): void {
    if (this.isStopped) return;
    const status = failure instanceof ServerProblem ? failure.status : 0;
    if (status === 403 || status === 404 || status === 409) {
      become({ state: "refused" });
      this.trouble("forbidden");
    } else if (this.line?.isOpen() !== true) become({ state: status === 401 ? "connecting" : "away" });
    this.renewal = setTimeout(() => void this.signOn(), this.againMs);
    this.againMs = Math.min(this.againMs * 2, LONGEST_AGAIN_MS);
  }

  private opened(): void {
    become({ state: "ready" });
    for (const work of this.due.splice(0)) work();
    for (const call of this.calls) call.lineOpened();
    void this.nodeCalls.look();
  }

  private lost(): void {
    if (!this.isStopped) become({ state: navigator.onLine ? "connecting" : "away" });
  }

  /** The password is too old, or the session has ended: another one is asked for. */
  private refused(status: number): void {
    if (this.isStopped) return;
    become({ state: status >= 500 ? "away" : "connecting" });
    clearTimeout(this.renewal);
    this.renewal = setTimeout(() => void this.signOn(), this.againMs);
    this.againMs = Math.min(this.againMs * 2, LONGEST_AGAIN_MS);
  }

  private networkChanged(): void {
    this.line?.reconnect();
    for (const call of this.calls) call.disturbed();
  }

  private pageGoes(): void {
    keep(this.kept());
    // What nobody has answered can't be taken up: the next page says so.
    const left = this.calls.filter((call) => call.direction === "out" && call.answeredAt === undefined && !call.isOver);
    keepLeft(left.map(({ number, name }) => ({ number, name })));
    for (const call of left) call.hangUp();
    // Who calls meanwhile isn't kept waiting for a page that isn't there.
    if (this.calls.every((call) => call.isOver)) this.line?.signOff();
  }

  // Calls

  private rings(session: RTCSession, request: IncomingRequest): void {
    const { number, name } = identityOf(request.getHeader("From")) ?? { number: "", name: "" };
    const call = new Conversation(this.around, { direction: "in", number, name, state: "ringing" });
    this.calls = [...this.calls, call];
    call.rings(session);
    if (asksToAnswer(request)) void this.answer(call, { listen: false, video: false });
    this.changed();
  }

  private ended(call: Conversation): void {
    if (call.isMerging) {
      this.calls = this.calls.filter((one) => one !== call); // its party is in the other one now
      return;
    }
    if (call.answeredAt !== undefined) sayEnded();
    setTimeout(() => {
      if (call.place === "") this.forget(call);
    }, SHOWN_ENDED_MS);
    const over = this.calls.filter((one) => one.isOver && one.place === "");
    for (const old of over.slice(0, -MOST_SHOWN_ENDED)) this.forget(old);
  }

  private forget(call: Conversation): void {
    if (!call.isOver) return;
    this.calls = this.calls.filter((one) => one !== call);
    this.changed();
  }

  private async dial(number: string, video: boolean): Promise<void> {
    const call = new Conversation(this.around, { direction: "out", number, name: "", state: "calling" });
    this.holdOthers(call);
    this.calls = [...this.calls, call];
    this.changed();
    try {
      await call.dial({ video });
      this.clear("microphone_refused", "microphone_absent", "microphone_busy");
    } catch (failure) {
      call.giveUp(failure instanceof MicrophoneProblem ? "no_microphone" : "no_such_number");
      if (failure instanceof MicrophoneProblem) this.trouble(failure.trouble);
    }
  }

  private async answer(call: Conversation, how: { listen: boolean; video: boolean }): Promise<void> {
    this.holdOthers(call);
    try {
      await call.answer(how);
      if (!how.listen) this.clear("microphone_refused", "microphone_absent", "microphone_busy");
    } catch (failure) {
      if (failure instanceof MicrophoneProblem) this.trouble(failure.trouble);
    }
    this.changed();
  }

  private holdOthers(call: Conversation): void {
    for (const other of this.calls) if (other !== call && other.isOpen) other.hold(true);
  }

  /** Do what a page asks. A call that is over by now needs nothing. */
  carryOut(command: Command): void {
    if (command.verb === "dial") return void this.dial(command.target, command.video);
    if (command.verb === "understood") { this.clear(command.trouble); return; }
    const call = this.calls.find((one) => one.id === command.id);
    if (call === undefined) return;
    switch (command.verb) {
      case "answer":
        return void this.answer(call, command);
      case "reject":
      case "hangUp":
        { call.hangUp(); return; }
      case "toVoicemail":
        { call.refuseAsBusy(); return; }
      case "hold":
        { call.hold(true); return; }
      case "resume":
        this.holdOthers(call);
        { call.hold(false); return; }
      case "mute":
        { call.mute(command.on); return; }
      case "showVideo":
        return void call.showVideo(command.on);
      case "digits":
        for (const key of command.keys) soundKey(key);
        { call.sound.digits(command.keys); return; }
      case "transfer":
        { this.transfer(call, this.line?.address(command.target), command.target); return; }
      case "transferAttended":
        { this.transferAttended(call, command.other); return; }
      case "merge":
      case "park":
      case "record":
        return void this.ask(call, command);
      case "forget":
        { this.forget(call); return; }
    }
  }

  private transfer(call: Conversation, address: string | undefined, target: string): void {
    if (address === undefined) return;
    call.refer(address, (how) => {
      if (how === "failed") this.say("transfer_failed", target);
      else this.say("transfer_done", target);
    });
  }

  private transferAttended(call: Conversation, otherId: string): void {
    const other = this.calls.find((one) => one.id === otherId);
    if (other === undefined || this.line === undefined) return;
    const target = other.name === "" ? other.number : other.name;
    // One that only rings there is no dialog that can be named yet: the node knows which it is.
    if (other.answeredAt === undefined) void this.ask(call, { verb: "join", other: otherId });
    else this.transfer(call, other.inPlaceOf(this.line), target);
  }

  /** What the node does for us: it knows the calls by other names. */
  private async ask(
    call: Conversation,
    command: { verb: "merge" | "join"; other: string } | { verb: "park" } | { verb: "record"; on: boolean },
  ): Promise<void> {
    const other = "other" in command ? this.calls.find((one) => one.id === command.other) : undefined;
    const merged = command.verb === "merge" && other !== undefined ? [call, other] : [];
    try {
      await this.nodeCalls.look();
      for (const one of merged) one.isMerging = true;
      const done = await this.nodeCalls.ask(call, command, other);
      if (command.verb === "park") this.parked(call, done.place);
      if (command.verb === "join") this.say("transfer_done", other?.number ?? "");
      if (merged.length > 0) await this.nodeCalls.look();
    } catch {
      this.say("not_possible");
    } finally {
      for (const one of merged) one.isMerging = false;
    }
  }

  private parked(call: Conversation, place: string): void {
    call.parked(place);
    setTimeout(() => this.forget(call), SHOWN_PARKED_MS);
    this.say("parked", place);
  }

  // What is shown and kept

  private look(): void {
    for (const call of this.calls) void call.listen();
    // Of who comes to a conference and leaves it nobody is told but by asking.
    if (this.calls.some((call) => !call.isOver && call.conference.length > 0)) void this.nodeCalls.look();
    if (this.calls.some((call) => !call.isOver)) keep(this.kept());
  }

  /** What another page needs to take the calls up. */
  kept(): readonly KeptCall[] {
    return this.calls.flatMap((call) => call.kept() ?? []);
  }

  private changed(): void {
    if (this.isStopped) return;
    const calls = this.calls.map((call) => call.shown());
    become({ calls });
    this.ringing.show(calls);
    keep(this.kept());
  }

  private say(what: Said["what"], about = ""): void {
    become({ said: { id: (telephoneNow().said?.id ?? 0) + 1, what, about } });
  }

  private trouble(trouble: Trouble): void {
    const { troubles } = telephoneNow();
    if (!troubles.includes(trouble)) become({ troubles: [...troubles, trouble] });
  }

  private clear(...over: readonly Trouble[]): void {
    become({ troubles: telephoneNow().troubles.filter((one) => !over.includes(one)) });
  }
}

/** The name by which the node knows this browser, whichever tab is the telephone. */
function instance(): string {
  const kept = localStorage.getItem(INSTANCE);
  if (kept !== null && /^[0-9a-f-]{36}$/.test(kept)) return kept;
  const made = crypto.randomUUID();
  localStorage.setItem(INSTANCE, made);
  return made;
}
