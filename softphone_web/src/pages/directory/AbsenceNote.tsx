/** What somebody has left word of: until when they are away, and why. */
import { directory } from "../../language/directory";
import { moment } from "../../language/moments";
import { useTexts } from "../../language/texts";
import type { Absence } from "./shapes";

export function AbsenceNote({ absence }: { readonly absence: Absence | null }) {
  const words = useTexts(directory);
  if (absence === null) return null;
  return (
    <span>
      {absence.text} <span className="muted">{words.until(moment(absence.until_at))}</span>
    </span>
  );
}
