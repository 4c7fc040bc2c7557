/** Pages of other programs for calls that come in: opened in a tab of their own, offered as a link where that is blocked. */
import { useEffect, useRef, useState } from "react";

import { reach } from "../language/reach";
import { useTexts } from "../language/texts";
import { type Opening, type ScreenPop, openingsOf } from "../reach/popping";
import { api } from "../server/api";
import { living, useTelephone } from "../telephone/store";

export function ScreenPops({ extension }: { readonly extension: string }) {
  const words = useTexts(reach);
  const { calls, state } = useTelephone();
  const [pops, setPops] = useState<readonly ScreenPop[]>([]);
  const [blocked, setBlocked] = useState<readonly Opening[]>([]);
  const opened = useRef(new Set<string>());
  useEffect(() => {
    if (extension === "") return;
    api.get<readonly ScreenPop[]>("/screen-pops").then(setPops, () => undefined);
  }, [extension]);
  useEffect(() => {
    if (state === "elsewhere") return; // the tab that is the telephone opens them
    for (const opening of openingsOf(pops, calls, extension)) {
      if (opened.current.has(opening.key)) continue;
      opened.current.add(opening.key);
      if (!isOpened(opening.url)) setBlocked((now) => [...now, opening]);
    }
  }, [pops, calls, extension, state]);
  const shown = blocked.filter(({ key }) => living(calls).some((call) => key.startsWith(`${call.id} `)));
  if (shown.length === 0) return null;
  return (
    <section className="bars" aria-label={words.pop}>
      {shown.map(({ key, url, who }) => (
        <p key={key} className="bar">
          <a href={url} target="_blank" rel="noopener noreferrer">
            {words.pop_for(who === "" ? words.anonymous : who)}
          </a>
        </p>
      ))}
    </section>
  );
}

/** Whether the browser let it open. It gets no way back to this page: an opener would be one. */
function isOpened(url: string): boolean {
  const tab = window.open("about:blank", "_blank");
  if (tab === null) return false;
  tab.opener = null;
  tab.location.replace(url);
  return true;
}
