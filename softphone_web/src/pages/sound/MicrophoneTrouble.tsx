/** Why there is no microphone, and what to press in this very browser. */
import { sound } from "../../language/sound";
import { useTexts } from "../../language/texts";
import type { MicrophoneTrouble as Trouble } from "../../telephone/devices";

export function MicrophoneTrouble({ trouble }: { readonly trouble: Trouble }) {
  const words = useTexts(sound);
  const how = {
    microphone_refused: words[`how_${browserOf(navigator.userAgent)}`],
    microphone_absent: words.how_absent,
    microphone_busy: words.how_busy,
    insecure: "",
  }[trouble];
  return (
    <div className="problem" role="alert">
      <p>{words[trouble]}</p>
      {how !== "" && <p>{how}</p>}
    </div>
  );
}

/** Which browser it is, as far as what to press differs. All of them but Firefox say that they are Safari. */
export function browserOf(agent: string): "chrome" | "edge" | "firefox" | "safari" | "other" {
  if (/Edg\//.test(agent)) return "edge";
  if (/Firefox\//.test(agent)) return "firefox";
  if (/Chrom(e|ium)\//.test(agent)) return "chrome";
  return /Safari\//.test(agent) ? "safari" : "other";
}
