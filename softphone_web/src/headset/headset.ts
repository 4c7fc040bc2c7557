/**
 * The buttons of a headset that speaks HID (WebHID): they answer, hang up and mute, and its lights say what is so.
 *
 * Started once with the telephone. A headset that was allowed before is opened by itself; another one by
 * `chooseHeadset()`, from a button, as browsers want it. Where there is no WebHID, nothing is done.
 */
import { useSyncExternalStore } from "react";

import type { PhoneCall } from "../telephone/shapes";
import { living, telephoneNow, watchTelephone } from "../telephone/store";
import { telephone } from "../telephone/telephone";
import {
  type Collection,
  HOOK,
  LIGHT_MUTE,
  LIGHT_OFF_HOOK,
  LIGHT_RING,
  MUTE,
  type Place,
  TELEPHONY_PAGE,
  isOn,
  outputOf,
  placeOf,
  reportsOf,
} from "./reports";

interface InputReport extends Event {
  readonly reportId: number;
  readonly data: DataView;
}
/** As WebHID has it, as far as it is used. */
interface Device extends EventTarget {
  readonly productName: string;
  readonly opened: boolean;
  readonly collections: readonly Collection[];
  open(): Promise<void>;
  sendReport(reportId: number, data: Uint8Array<ArrayBuffer>): Promise<void>;
}
interface Hid extends EventTarget {
  getDevices(): Promise<readonly Device[]>;
  requestDevice(options: { filters: readonly { usagePage: number }[] }): Promise<readonly Device[]>;
}

export interface HeadsetState {
  /** Whether this browser can use a headset's buttons at all. */
  readonly isPossible: boolean;
  /** What is connected, by its maker's name for it; "" for none. */
  readonly name: string;
  readonly trouble: "" | "not_opened" | "no_buttons";
}

const hid = (navigator as Navigator & { readonly hid?: Hid }).hid;
const watchers = new Set<() => void>();
let current: HeadsetState = { isPossible: hid !== undefined, name: "", trouble: "" };
let headset: Headset | undefined;
let isStarted = false;

function become(change: Partial<HeadsetState>): void {
  current = { ...current, ...change };
  for (const watcher of watchers) watcher();
}

export function useHeadset(): HeadsetState {
  return useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => current,
  );
}

/** Begin, once for the whole application. */
export function startHeadset(): void {
  if (isStarted || hid === undefined) return;
  isStarted = true;
  hid.addEventListener("connect", () => void look());
  hid.addEventListener("disconnect", (event) => {
    if ((event as Event & { readonly device?: Device }).device === headset?.device) leave();
  });
  watchTelephone(() => void headset?.show(telephoneNow().calls));
  void look();
}

/** Let whoever presses a button choose one; the browser asks. */
export async function chooseHeadset(): Promise<void> {
  if (hid === undefined) return;
  const [chosen] = await hid.requestDevice({ filters: [{ usagePage: TELEPHONY_PAGE }] });
  if (chosen !== undefined) await take(chosen);
}

async function look(): Promise<void> {
  const known = (await hid?.getDevices()) ?? [];
  const found = known.find((one) => one.collections.some((each) => each.usagePage === TELEPHONY_PAGE));
  if (found !== undefined && found !== headset?.device) await take(found);
}

async function take(device: Device): Promise<void> {
  const made = new Headset(device);
  if (!made.hasButtons) {
    become({ trouble: "no_buttons" });
    return;
  }
  try {
    if (!device.opened) await device.open();
  } catch {
    become({ trouble: "not_opened" }); // another program has it
    return;
  }
  headset?.close();
  headset = made;
  made.listen();
  become({ name: device.productName, trouble: "" });
  await made.show(telephoneNow().calls);
}

function leave(): void {
  headset?.close();
  headset = undefined;
  become({ name: "" });
}

/** One headset: what is pressed on it, and what it shows. */
class Headset {
  private readonly hook: Place | undefined;
  private readonly mute: Place | undefined;
  private readonly lights: ReadonlyMap<number, Place>;
  private isOffHook = false;
  private isMutePressed = false;
  private shown = "";

  constructor(readonly device: Device) {
    const inputs = reportsOf(device.collections, "inputReports");
    const outputs = reportsOf(device.collections, "outputReports");
    this.hook = placeOf(inputs, HOOK);
    this.mute = placeOf(inputs, MUTE);
    const lights = [LIGHT_MUTE, LIGHT_OFF_HOOK, LIGHT_RING].map((usage) => [usage, placeOf(outputs, usage)] as const);
    this.lights = new Map(lights.flatMap(([usage, place]) => (place === undefined ? [] : [[usage, place] as const])));
  }

  get hasButtons(): boolean {
    return this.hook !== undefined || this.mute !== undefined;
  }

  listen(): void {
    this.device.addEventListener("inputreport", this.received);
  }

  close(): void {
    this.device.removeEventListener("inputreport", this.received);
  }

  private readonly received = (event: Event) => {
    // Each tab is told of each button: the one that is the telephone does what it says.
    if (telephoneNow().state === "elsewhere") return;
    const { reportId, data } = event as InputReport;
    if (this.hook?.report === reportId) this.hooked(isOn(this.hook, data));
    if (this.mute?.report === reportId) this.muted(isOn(this.mute, data), this.mute.isAbsolute);
  };

  /** Lifted while it rings: answered. Put down in a call: ended. What we lit ourselves comes back, and is nothing. */
  private hooked(isOffHook: boolean): void {
    if (isOffHook === this.isOffHook) return;
    this.isOffHook = isOffHook;
    const calls = living(telephoneNow().calls);
    if (isOffHook) {
      const ringing = calls.find((call) => call.state === "ringing");
      if (ringing !== undefined) telephone.answer(ringing.id);
    } else {
      const ended = calls.find((call) => call.state !== "ringing" && !call.isHeld);
      if (ended !== undefined) telephone.hangUp(ended.id);
    }
  }

  /** A button that springs back mutes and unmutes in turn; one that stays says which. */
  private muted(isPressed: boolean, isAbsolute: boolean): void {
    if (isPressed === this.isMutePressed) return;
    this.isMutePressed = isPressed;
    const call = living(telephoneNow().calls).find((one) => one.state !== "ringing" && !one.isHeld);
    if (call === undefined) return;
    if (!isPressed && !isAbsolute) return;
    if (isAbsolute) telephone.mute(call.id, isPressed);
    else telephone.mute(call.id, !call.isMuted);
  }

  /** Light what is so. */
  async show(calls: readonly PhoneCall[]): Promise<void> {
    if (telephoneNow().state === "elsewhere") return;
    const now = living(calls);
    const isIn = now.some((call) => call.state !== "ringing");
    const wanted = [
      ...(now.some((call) => call.state === "ringing") ? [LIGHT_RING] : []),
      ...(isIn ? [LIGHT_OFF_HOOK] : []),
      ...(now.some((call) => call.isMuted && !call.isHeld) ? [LIGHT_MUTE] : []),
    ];
    if (wanted.join() === this.shown) return;
    this.shown = wanted.join();
    if (!isIn) this.isOffHook = false;
    for (const report of reportsOf(this.device.collections, "outputReports")) {
      const id = report.reportId ?? 0;
      const own = [...this.lights.values()].filter((place) => place.report === id);
      if (own.length === 0) continue;
      const on = wanted.flatMap((usage) => {
        const place = this.lights.get(usage);
        return place !== undefined && place.report === id ? [place] : [];
      });
      try {
        await this.device.sendReport(id, outputOf(report, on));
      } catch {
        become({ trouble: "not_opened" });
      }
    }
  }
}
