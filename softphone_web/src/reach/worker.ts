/**
 * The service worker: shows what is pushed while no page is looked at, and says the truth when there is no network.
 * Built into /sw.js. It keeps no page and no answer of the server: only the page that says that there is none.
 *
 *     push "call"       a notification with Answer and Reject, unless a page of ours is looked at: that one rings
 *     push "over"       the notification goes
 *     push "missed", "voicemail", "test"
 *     Answer            brings a page of ours to the front, or opens one, which takes the call
 */

interface Told {
  readonly kind: "call" | "over" | "missed" | "voicemail" | "test";
  readonly language: "fr" | "en";
  readonly call?: string;
  readonly number?: string;
  readonly name?: string;
  readonly through?: string;
  readonly count?: number;
  readonly until?: number;
}

// What a worker has and a page hasn't: TypeScript knows one of the two at a time.
interface Extendable extends Event {
  waitUntil(work: Promise<unknown>): void;
}
interface PushArrived extends Extendable {
  readonly data: { json(): unknown } | null;
}
interface NotificationPressed extends Extendable {
  readonly action: string;
  readonly notification: Notification;
}
interface Fetched extends Extendable {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}
interface Page {
  readonly url: string;
  readonly visibilityState: DocumentVisibilityState;
  focus(): Promise<unknown>;
  postMessage(message: unknown): void;
}
interface Worker {
  readonly registration: ServiceWorkerRegistration;
  readonly clients: {
    matchAll(options: { type: "window"; includeUncontrolled: boolean }): Promise<Page[]>;
    openWindow(url: string): Promise<unknown>;
    claim(): Promise<void>;
  };
  skipWaiting(): Promise<void>;
  addEventListener(kind: "install" | "activate", listener: (event: Extendable) => void): void;
  addEventListener(kind: "push", listener: (event: PushArrived) => void): void;
  addEventListener(kind: "notificationclick", listener: (event: NotificationPressed) => void): void;
  addEventListener(kind: "fetch", listener: (event: Fetched) => void): void;
}

const worker = self as unknown as Worker;

const WORDS = {
  fr: {
    call: "Appel entrant",
    through: (service: string) => `par ${service}`,
    answer: "Répondre",
    reject: "Refuser",
    missed: "Appel manqué",
    over: "Appel terminé",
    voicemail: (count: number) => (count === 1 ? "Un nouveau message vocal" : `${count} nouveaux messages vocaux`),
    voicemail_body: "Ouvrez Beffroi pour l’écouter.",
    test: "Les notifications marchent",
    test_body: "Vos appels s’affichent ainsi.",
    anonymous: "Numéro masqué",
  },
  en: {
    call: "Incoming call",
    through: (service: string) => `through ${service}`,
    answer: "Answer",
    reject: "Reject",
    missed: "Missed call",
    over: "The call is over",
    voicemail: (count: number) => (count === 1 ? "A new voice message" : `${count} new voice messages`),
    voicemail_body: "Open Beffroi to listen.",
    test: "Notifications work",
    test_body: "Your calls appear like this.",
    anonymous: "Number withheld",
  },
};

const OFFLINE = "offline-1";
const OFFLINE_FILES = ["/offline.html", "/offline.css", "/icons/192.png"];

worker.addEventListener("install", (event) => {
  const kept = caches.open(OFFLINE).then((cache) => cache.addAll(OFFLINE_FILES));
  event.waitUntil(Promise.all([kept, worker.skipWaiting()]));
});

worker.addEventListener("activate", (event) => {
  const tidied = caches
    .keys()
    .then((names) => Promise.all(names.filter((name) => name !== OFFLINE).map((name) => caches.delete(name))));
  event.waitUntil(Promise.all([tidied, worker.clients.claim()]));
});

worker.addEventListener("fetch", (event) => {
  const { pathname } = new URL(event.request.url);
  if (OFFLINE_FILES.includes(pathname)) {
    event.respondWith(fetch(event.request).catch(() => keptFile(pathname)));
  } else if (event.request.mode === "navigate") {
    event.respondWith(fetch(event.request).catch(() => keptFile("/offline.html")));
  }
});

async function keptFile(path: string): Promise<Response> {
  return (await caches.match(path)) ?? Response.error();
}

// Notifications

worker.addEventListener("push", (event) => {
  event.waitUntil(show(event.data?.json() as Told));
});

async function show(told: Told): Promise<void> {
  const words = WORDS[told.language === "en" ? "en" : "fr"];
  const tag = told.call === undefined ? told.kind : `call ${told.call}`;
  const common = { tag, lang: told.language, icon: "/icons/192.png", badge: "/icons/badge.png" };
  const who = [told.name, told.number].filter(Boolean).join(" · ") || words.anonymous;
  switch (told.kind) {
    case "call": {
      if (await isLookedAt()) return;
      if (told.until !== undefined && told.until < Date.now() / 1000) return; // it was told too late
      const through = told.through ? ` · ${words.through(told.through)}` : "";
      const actions = [
        { action: "answer", title: words.answer },
        { action: "reject", title: words.reject },
      ];
      const ringing = { body: `${who}${through}`, requireInteraction: true, renotify: true, vibrate: [400, 200, 400] };
      await worker.registration.showNotification(words.call, { ...common, ...ringing, actions, data: told } as NotificationOptions);
      return;
    }
    case "over": {
      const shown = await worker.registration.getNotifications({ tag });
      // A browser wants something to be shown for each push: what was shown changes, then goes.
      if (shown.length === 0) return;
      await worker.registration.showNotification(words.over, { ...common, body: who, silent: true });
      for (const one of await worker.registration.getNotifications({ tag })) one.close();
      return;
    }
    case "missed":
      await worker.registration.showNotification(words.missed, { ...common, body: who, data: told });
      return;
    case "voicemail": {
      const title = words.voicemail(told.count ?? 1);
      await worker.registration.showNotification(title, { ...common, body: words.voicemail_body, data: told });
      return;
    }
    case "test":
      await worker.registration.showNotification(words.test, { ...common, body: words.test_body, data: told });
  }
}

function pages(): Promise<Page[]> {
  return worker.clients.matchAll({ type: "window", includeUncontrolled: true });
}

async function isLookedAt(): Promise<boolean> {
  return (await pages()).some((page) => page.visibilityState === "visible");
}

worker.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const told = event.notification.data as Told | undefined;
  event.waitUntil(event.action === "reject" ? reject(told) : open(told));
});

/** Bring a page to the front, or open one; whoever pressed Answer, or the call itself, wants it taken. */
async function open(told: Told | undefined): Promise<void> {
  const answers = told?.kind === "call" && told.call !== undefined;
  const path = { call: "/telephone", over: "/telephone", missed: "/history", voicemail: "/voicemail", test: "/account" };
  const wanted = told === undefined ? "/" : path[told.kind];
  const [page] = await pages();
  if (page !== undefined) {
    if (answers) page.postMessage({ answer: told.call, number: told.number ?? "" });
    else page.postMessage({ open: wanted });
    await page.focus();
    return;
  }
  const answer = answers ? `?${new URLSearchParams({ answer: told.call ?? "", number: told.number ?? "" }).toString()}` : "";
  await worker.clients.openWindow(`${wanted}${answer}`);
}

/** Decline the call on all of its person's telephones, without any page. */
async function reject(told: Told | undefined): Promise<void> {
  const session = await fetch("/api/v1/session", { credentials: "same-origin" });
  if (!session.ok || told?.call === undefined) return;
  const { csrf } = (await session.json()) as { csrf: string };
  await fetch("/api/v1/push/declined", {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf },
    body: JSON.stringify({ call: told.call }),
    credentials: "same-origin",
  });
}
