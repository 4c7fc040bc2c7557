/** Sound devices as the choices of a field: the computer's own first. Names come once the microphone is allowed. */
import type { Option } from "../../components/Field";
import { sound } from "../../language/sound";
import { useTexts } from "../../language/texts";
import type { SoundDevice } from "../../telephone/devices";

export function useOptions(devices: readonly SoundDevice[]): readonly Option[] {
  const words = useTexts(sound);
  const named = devices.filter((one) => one.id !== "default" && one.id !== "communications");
  return [
    { value: "", label: words.by_itself },
    ...named.map((one, place) => ({ value: one.id, label: one.label === "" ? words.unnamed(place + 1) : one.label })),
  ];
}
