/** How the telephone is, in words: whether calls reach it here, and what is in the way. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { type Kind, State } from "../../components/State";
import { telephone as words_of } from "../../language/telephone";
import { useTexts } from "../../language/texts";
import { takeTelephone } from "../../telephone/opening";
import type { TelephoneState } from "../../telephone/shapes";
import { useTelephone } from "../../telephone/store";
import { telephone } from "../../telephone/telephone";

const KINDS: Readonly<Record<TelephoneState, Kind>> = {
  off: "off",
  connecting: "warning",
  ready: "good",
  away: "bad",
  elsewhere: "off",
  refused: "bad",
};

export function PhoneState() {
  const words = useTexts(words_of);
  const { state, extension } = useTelephone();
  const says = {
    off: words.off_says,
    connecting: words.connecting_says,
    ready: words.ready_says(extension),
    away: words.away_says,
    elsewhere: words.elsewhere_says,
    refused: "",
  }[state];
  return (
    <div className="phone-state">
      <p role="status">
        <State kind={KINDS[state]}>
          <strong>{words[state]}</strong>
        </State>{" "}
        <span className="muted">{says}</span>
      </p>
      <div className="actions">
        {state === "elsewhere" && (
          <Button kind="main" onPress={takeTelephone}>
            {words.take_here}
          </Button>
        )}
        {state === "ready" && <NotifyButton />}
      </div>
    </div>
  );
}

/** A browser asks once; after that it is its own settings that say. */
function NotifyButton() {
  const words = useTexts(words_of);
  const [permission, setPermission] = useState(() =>
    "Notification" in window ? Notification.permission : "denied",
  );
  if (permission !== "default") return null;
  return (
    <Button onPress={() => void Notification.requestPermission().then(setPermission)}>{words.notify_ask}</Button>
  );
}

export function Troubles() {
  const words = useTexts(words_of);
  const { troubles } = useTelephone();
  return troubles.map((trouble) => (
    <div key={trouble} className="problem" role="alert">
      <p>{words[trouble]}</p>
      {trouble.startsWith("microphone_") && (
        <Button onPress={() => telephone.understood(trouble)}>{words.understood}</Button>
      )}
    </div>
  ));
}
