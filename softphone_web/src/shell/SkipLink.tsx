/** The first thing that the keyboard meets: past the navigation, to what the page says. */
import { shell } from "../language/shell";
import { useTexts } from "../language/texts";

export function SkipLink() {
  const words = useTexts(shell);
  return (
    <a className="skip" href="#content">
      {words.skip}
    </a>
  );
}
