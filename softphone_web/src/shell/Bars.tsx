/** What must be said above every page: the live connection is lost, or a new version is installed. */
import { useEffect, useState } from "react";

import { Button } from "../components/Button";
import { shell } from "../language/shell";
import { useTexts } from "../language/texts";
import { useLink } from "../server/events";

const LOOK_EVERY_MS = 300_000;

export function Bars() {
  const words = useTexts(shell);
  const link = useLink();
  const isOld = useIsOld();
  return (
    <div className="bars" role="status">
      {link === "lost" && <p className="bar warning">{words.lost}</p>}
      {isOld && (
        <p className="bar">
          {words.new_version} <Button onPress={() => location.reload()}>{words.reload}</Button>
        </p>
      )}
    </div>
  );
}

/** Whether the server has other pages than these by now: its first page names another script. */
function useIsOld(): boolean {
  const [isOld, setOld] = useState(false);
  const link = useLink();
  useEffect(() => {
    const look = async () => {
      try {
        const answer = await fetch("/", { headers: { Accept: "text/html" }, cache: "no-cache" });
        const now = scriptOf(await answer.text());
        const ours = scriptOf(document.documentElement.outerHTML);
        setOld(now !== "" && ours !== "" && now !== ours);
      } catch {
        // Away: the next look will tell.
      }
    };
    const timer = setInterval(() => void look(), LOOK_EVERY_MS);
    // A live connection that comes back may be that of a newer program.
    if (link === "live") void look();
    return () => clearInterval(timer);
  }, [link]);
  return isOld;
}

function scriptOf(html: string): string {
  return /assets\/index-[\w-]+\.js/.exec(html)?.[0] ?? "";
}
