/** What somebody is doing, and whether a telephone of theirs is there: a shape and a word. */
import { type ReactNode, useContext, useEffect, useState, useSyncExternalStore } from "react";

import { useEvents, useReadings } from "../../server/events";
import { DoingShown } from "../around/DoingShown";
import { Watch, Watching } from "./watching";

const EVENTS = ["PresenceChanged"];

/** Around all of whom it is shown. */
export function WatchAll({ children }: { readonly children: ReactNode }) {
  const [watch] = useState(() => new Watch());
  const readings = useReadings();
  useEvents(EVENTS, watch.tell);
  useEffect(() => watch.askAnew(), [watch, readings]);
  return <Watching value={watch}>{children}</Watching>;
}

export function DoingOf({ extension }: { readonly extension: string }) {
  const watch = useContext(Watching);
  useEffect(() => watch.want(extension), [watch, extension]);
  const colleague = useSyncExternalStore(watch.subscribe, () => watch.of(extension));
  return <DoingShown colleague={colleague} />;
}
