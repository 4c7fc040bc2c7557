/**
 * The telephone's beginning and end in this tab: begun by the frame for whoever has a number, over all pages, so that a
 * call goes on while its person moves between them. The line itself, with JsSIP, is loaded in the tab that is it.
 */
import type { Handset } from "./handset";
import { type KeptCall, keptCalls } from "./keeping";
import { OFF, become, telephoneNow, watchTelephone } from "./store";
import { Tabs } from "./tabs";
import { carryOut } from "./telephone";

let tabs: Tabs | undefined;

/** Be the telephone, or show the one in another tab; returns how to stop. */
export function openTelephone(): () => void {
  let handset: Handset | undefined;
  let isStopped = false;
  const lead = async (kept: readonly KeptCall[]) => {
    become({ ...OFF, state: "connecting" });
    const loaded = await import("./handset");
    if (isStopped) return;
    const begun = new loaded.Handset();
    handset = begun;
    carryOut((command) => begun.carryOut(command));
    begun.start(kept);
  };
  const show = () => opened.show(telephoneNow(), handset?.kept() ?? []);
  const opened = new Tabs(
    {
      lead: (kept) => void lead(kept),
      follow: (snapshot) => {
        become(snapshot === undefined ? { ...OFF, state: "connecting" } : { ...snapshot, state: "elsewhere" });
        carryOut((command) => opened.send(command));
      },
      give: () => {
        const kept = handset?.stop({ isQuiet: true }) ?? [];
        handset = undefined;
        become({ ...OFF, state: "elsewhere" });
        carryOut((command) => opened.send(command));
        return kept;
      },
      carryOut: (command) => handset?.carryOut(command),
      showAgain: show,
    },
    keptCalls(),
  );
  tabs = opened;
  const unwatch = watchTelephone(() => {
    if (handset !== undefined) show();
  });
  opened.start();
  // Buttons of headsets and keyboards work on every page, whichever of them is open.
  void import("../headset/starting").then((keys) => keys.startKeys());
  return () => {
    isStopped = true;
    unwatch();
    carryOut(undefined);
    handset?.stop({ isQuiet: false });
    opened.stop();
    tabs = undefined;
    become(OFF);
  };
}

/** Make this tab the telephone, with the calls that the other one is in. */
export function takeTelephone(): void {
  tabs?.take();
}
