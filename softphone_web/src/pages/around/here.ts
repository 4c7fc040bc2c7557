/** This person's browser as a device: on which network it is, and whether its address is known there. */
import type { List } from "../../server/api";
import { useResource } from "../../server/resource";
import { type Device, EVENTS } from "../devices/shapes";

export interface Here {
  /** undefined: not there yet, or in one of our buildings, which is known. */
  readonly device: Device | undefined;
  readonly reload: () => void;
}

/** extension: "" for somebody without a telephone. */
export function useHere(extension: string): Here {
  const path = extension === "" ? undefined : `/devices?extension=${extension}`;
  const devices = useResource<List<Device>>(path, { events: EVENTS });
  const browser = devices.data?.items.find((one) => one.sign_in === `${extension}-web`);
  return { device: browser?.network === "" ? undefined : browser, reload: devices.reload };
}
