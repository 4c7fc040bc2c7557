/** Whether a device can be reached now, and whether help would find it. */
import { State } from "../../components/State";
import { devices } from "../../language/devices";
import { useTexts } from "../../language/texts";
import type { Device } from "./shapes";

export function DeviceState({ device }: { readonly device: Device }) {
  const words = useTexts(devices);
  if (device.bindings.length === 0) return <State kind="off">{words.away}</State>;
  if (device.bindings.some((one) => one.answers)) return <State kind="good">{words.registered}</State>;
  return <State kind="warning">{words.silent}</State>;
}

export function AddressState({ device }: { readonly device: Device }) {
  const words = useTexts(devices);
  if (device.address_wanted) return <State kind="warning">{words.wanted}</State>;
  if (device.network !== "") return <State kind="good">{words.confirmed}</State>;
  return null;
}
