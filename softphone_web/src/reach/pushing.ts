/** Notifications of this browser: whether it can have them, and having them or no more. */
import { api } from "../server/api";

export type PushKind = "calls" | "missed" | "voicemail";
export const PUSH_KINDS: readonly PushKind[] = ["calls", "missed", "voicemail"];

export interface PushBrowser {
  readonly id: string;
  readonly kinds: readonly PushKind[];
  readonly device: string;
  readonly created_at: number;
}

export interface Push {
  readonly key: string;
  readonly browsers: readonly PushBrowser[];
}

/** Why this browser can't be told: each has its words. */
export type NoPush = "none" | "insecure" | "denied" | "no_service";

export class PushProblem extends Error {
  constructor(readonly why: NoPush) {
    super(why);
  }
}

let isOn = false;

/** Whether this browser is told by notifications: then a page shows none of its own beside them. */
export function isPushed(): boolean {
  return isOn;
}

/** Find out, when a page is opened. */
export async function learnWhetherPushed(): Promise<void> {
  isOn = (await subscription()) !== undefined;
}

/** Why this browser can't have notifications; undefined where it can. */
export function noPush(): NoPush | undefined {
  if (!isSecureContext) return "insecure";
  if (!("serviceWorker" in navigator) || !("PushManager" in window) || !("Notification" in window)) return "none";
  return Notification.permission === "denied" ? "denied" : undefined;
}

/** The one of these that is this browser, undefined where it isn't told. */
export async function thisBrowser(push: Push): Promise<PushBrowser | undefined> {
  const endpoint = (await subscription())?.endpoint;
  if (endpoint === undefined) return undefined;
  const id = await idOf(endpoint);
  return push.browsers.find((one) => one.id === id);
}

/** Have this browser be told. Raises PushProblem, or ServerProblem. */
export async function switchOn(key: string, kinds: readonly PushKind[]): Promise<void> {
  const why = noPush();
  if (why !== undefined) throw new PushProblem(why);
  if ((await Notification.requestPermission()) !== "granted") throw new PushProblem("denied");
  const registration = await navigator.serviceWorker.ready;
  // One that was made for another node's key says nothing to us.
  await (await registration.pushManager.getSubscription())?.unsubscribe();
  let made: PushSubscription;
  try {
    made = await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
  } catch {
    throw new PushProblem("no_service");
  }
  const { endpoint, keys } = made.toJSON();
  await api.post("/push/browsers", { endpoint, p256dh: keys?.p256dh, auth: keys?.auth, kinds });
  isOn = true;
}

/** Tell this browser nothing more: its address at its push service is given back, too. */
export async function switchOff(): Promise<void> {
  const kept = await subscription();
  if (kept === undefined) return;
  const id = await idOf(kept.endpoint);
  await kept.unsubscribe();
  isOn = false;
  await api.delete(`/push/browsers/${id}`).catch(() => undefined); // another account's, or gone already
}

async function subscription(): Promise<PushSubscription | undefined> {
  if (noPush() === "none" || noPush() === "insecure") return undefined;
  const registration = await navigator.serviceWorker.getRegistration();
  return (await registration?.pushManager.getSubscription()) ?? undefined;
}

/** What the node calls a browser: the beginning of its address's SHA-256. */
async function idOf(endpoint: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(endpoint));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("").slice(0, 32);
}
