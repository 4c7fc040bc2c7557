/**
 * Which of this browser's tabs is the telephone: one at a time, by a lock that the browser gives (Web Locks). The
 * others show what it shows, and send it what is asked of them.
 *
 *     follower ──take──> leader: falls silent, says `given` with its calls; the follower takes the lock
 *     leader's tab goes ──> the next one has the lock, and waits a moment: a page that is loaded again comes back
 */
import type { KeptCall } from "./keeping";
import type { Command, TelephoneSnapshot } from "./shapes";

type Message =
  | { readonly kind: "snapshot"; readonly snapshot: TelephoneSnapshot; readonly kept: readonly KeptCall[] }
  | { readonly kind: "command"; readonly command: Command }
  | { readonly kind: "ask" | "take" | "back" }
  | { readonly kind: "given"; readonly kept: readonly KeptCall[] };

export interface Tab {
  /** It is ours: begin, with these calls. */
  lead: (kept: readonly KeptCall[]) => void;
  /** Another tab has it: this is what it shows. */
  follow: (snapshot: TelephoneSnapshot | undefined) => void;
  /** Another tab wants it: stop without a word, and say what it takes up. */
  give: () => readonly KeptCall[];
  carryOut: (command: Command) => void;
  /** Somebody new looks: show them how it is. */
  showAgain: () => void;
}

const NAME = "beffroi.telephone";
/** How long a page that is loaded again has to come back for its calls. */
const RELOAD_MS = 4000;
const GIVE_MS = 1000;

export class Tabs {
  private readonly channel = new BroadcastChannel(NAME);
  private waiting = new AbortController();
  private isOver = false;
  private release: (() => void) | undefined;
  private known: readonly KeptCall[] = [];
  private taking: ReturnType<typeof setTimeout> | undefined;
  private comesBack: (() => void) | undefined;

  /** own: the calls that this very tab was in before it was loaded again. */
  constructor(
    private readonly tab: Tab,
    private readonly own: readonly KeptCall[],
  ) {
    this.channel.onmessage = ({ data }: MessageEvent<Message>) => this.told(data);
  }

  start(): void {
    // Whoever has the lock meanwhile waits for us.
    if (this.own.length > 0) this.say({ kind: "back" });
    this.tab.follow(undefined);
    this.say({ kind: "ask" });
    void this.wait(this.own);
  }

  /** Be no telephone and follow none. */
  stop(): void {
    this.isOver = true;
    clearTimeout(this.taking);
    this.waiting.abort();
    this.release?.();
    this.channel.close();
  }

  /** Become the telephone: the tab that is gives its calls up; one that doesn't answer has lost them. */
  take(): void {
    this.say({ kind: "take" });
    this.taking = setTimeout(() => void this.steal(this.known), GIVE_MS);
  }

  /** Show the others what this one shows. */
  show(snapshot: TelephoneSnapshot, kept: readonly KeptCall[]): void {
    if (this.release !== undefined) this.say({ kind: "snapshot", snapshot, kept });
  }

  /** Have the tab that is the telephone do something. */
  send(command: Command): void {
    this.say({ kind: "command", command });
  }

  private say(message: Message): void {
    if (!this.isOver) this.channel.postMessage(message);
  }

  /** Wait for the lock. */
  private async wait(kept: readonly KeptCall[]): Promise<void> {
    this.waiting = new AbortController();
    const { signal } = this.waiting;
    const lead = async () => {
      const mine = kept.length > 0 ? kept : this.known;
      if (kept.length > 0 || mine.length === 0 || (await this.stayedAway())) await this.lead(mine);
    };
    try {
      await navigator.locks.request(NAME, { signal }, lead);
    } catch (failure) {
      if (!isAborted(failure)) throw failure;
      if (signal.aborted) return; // whoever aborted it knows how it goes on
    }
    if (!this.isOver) void this.wait([]);
  }

  /** Take the lock from whoever has it. */
  private async steal(kept: readonly KeptCall[]): Promise<void> {
    clearTimeout(this.taking);
    this.taking = undefined;
    this.waiting.abort();
    try {
      await navigator.locks.request(NAME, { steal: true }, () => this.lead(kept));
    } catch (failure) {
      if (!isAborted(failure)) throw failure;
    }
    if (!this.isOver) void this.wait([]);
  }

  /** Be the telephone until the lock is to go. */
  private lead(kept: readonly KeptCall[]): Promise<void> {
    this.known = [];
    this.tab.lead(kept);
    return new Promise((done) => {
      this.release = () => {
        this.release = undefined;
        done();
      };
    });
  }

  /** Whether the page whose calls these are hasn't come back for them. */
  private stayedAway(): Promise<boolean> {
    return new Promise((done) => {
      const timer = setTimeout(() => done(true), RELOAD_MS);
      this.comesBack = () => {
        clearTimeout(timer);
        this.known = [];
        done(false);
      };
    });
  }

  private told(message: Message): void {
    const leads = this.release !== undefined;
    switch (message.kind) {
      case "snapshot":
        this.known = leads ? [] : message.kept;
        if (!leads) this.tab.follow(message.snapshot);
        return;
      case "command":
        if (leads) this.tab.carryOut(message.command);
        return;
      case "ask":
        if (leads) this.tab.showAgain();
        return;
      case "back":
        this.comesBack?.();
        return;
      case "take":
        if (!leads) return;
        this.release = undefined; // the lock is taken from us
        this.say({ kind: "given", kept: this.tab.give() });
        return;
      case "given":
        if (this.taking !== undefined) void this.steal(message.kept);
        return;
    }
  }
}

function isAborted(failure: unknown): boolean {
  return failure instanceof DOMException && failure.name === "AbortError";
}
