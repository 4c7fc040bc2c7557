/** The buttons that aren't on the page, begun with the telephone: those of headsets, and those that browsers tell of. */
import { startHeadset } from "./headset";
import { startMediaKeys } from "./media_keys";

export function startKeys(): void {
  startHeadset();
  startMediaKeys();
}
