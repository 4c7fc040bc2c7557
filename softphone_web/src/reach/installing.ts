/** The application as a browser installs it: its service worker, its manifest in the language spoken, its links. */
import { language } from "../language/texts";
import { navigate } from "../shell/place";
import { beforeSigningOut } from "../server/session";
import { answerWhenItRings } from "./answering";
import { learnWhetherPushed, switchOff } from "./pushing";

interface Installable extends Event {
  prompt(): Promise<unknown>;
}

const watchers = new Set<() => void>();
let offered: Installable | undefined;

/** Begin, once for a page. */
export function install(): void {
  document.querySelector<HTMLLinkElement>('link[rel="manifest"]')?.setAttribute("href", `/manifest-${language()}.webmanifest`);
  addEventListener("beforeinstallprompt", (event) => {
    event.preventDefault(); // asked where one looks for it, not over a call
    offer(event as Installable);
  });
  addEventListener("appinstalled", () => offer(undefined));
  const asked = new URLSearchParams(location.search);
  const answer = asked.get("answer");
  if (answer !== null) {
    answerWhenItRings(answer, asked.get("number") ?? "");
    history.replaceState(null, "", location.pathname); // loaded again, it answers nothing
  }
  // Who signs out here isn't called here any more.
  beforeSigningOut(() => switchOff().catch(() => undefined));
  if (!("serviceWorker" in navigator) || !import.meta.env.PROD) return;
  navigator.serviceWorker.addEventListener("message", (event: MessageEvent<{ answer?: string; number?: string; open?: string }>) => {
    const { answer: call, number, open } = event.data;
    if (call !== undefined) answerWhenItRings(call, number ?? "");
    else if (open !== undefined) navigate(open);
  });
  // A browser that refuses workers (a private window) has the pages all the same.
  navigator.serviceWorker.register("/sw.js", { scope: "/" }).then(learnWhetherPushed, () => undefined);
}

function offer(event: Installable | undefined): void {
  offered = event;
  for (const watcher of watchers) watcher();
}

export function watchInstalling(watcher: () => void): () => void {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

/** Whether this browser would install the application now. */
export function canInstall(): boolean {
  return offered !== undefined;
}

export async function installNow(): Promise<void> {
  const event = offered;
  offer(undefined);
  await event?.prompt();
}

/** Whether this browser lets a page open links of telephones. */
export function canTakeLinks(): boolean {
  return isSecureContext && "registerProtocolHandler" in navigator;
}

/** Have links of telephones open here; the browser asks. */
export function takeLinks(): void {
  for (const scheme of ["tel", "sip"]) navigator.registerProtocolHandler(scheme, `${location.origin}/call?to=%s`);
}
