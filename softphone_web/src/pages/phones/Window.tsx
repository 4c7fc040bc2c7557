/** How long new telephones are taken: opened for a while, closed by itself, with the time that is left. */
import { useEffect, useState } from "react";

import { Button } from "../../components/Button";
import { notify } from "../../components/Notices";
import { useSaying } from "../../components/Problem";
import { State } from "../../components/State";
import { Time } from "../../components/Time";
import { phones } from "../../language/phones";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { asProblem } from "../../server/resource";
import { useMay } from "../../server/session";

const OPEN_MINUTES = 30;
const LOOK_MS = 5000;

export function Window({ until, onChanged }: { readonly until: number; readonly onChanged: () => void }) {
  const words = useTexts(phones);
  const say = useSaying();
  const mayChange = useMay("devices.change");
  const left = useLeft(until, onChanged);
  const set = async (minutes: number) => {
    try {
      await api.put("/phones/window", { minutes });
      onChanged();
    } catch (failure) {
      notify(say(asProblem(failure)), "bad");
    }
  };
  return (
    <div className="phones-window">
      <p>
        <strong>{words.window}</strong>
        {left > 0 ? (
          <State kind="ringing">
            <span>
              {words.window_open} <Time at={until} />, {words.window_left(Math.ceil(left / 60))}
            </span>
          </State>
        ) : (
          <State kind="off">{words.window_shut}</State>
        )}
      </p>
      {mayChange && (
        <Button onPress={() => void set(left > 0 ? 0 : OPEN_MINUTES)}>{left > 0 ? words.window_stop : words.window_start}</Button>
      )}
    </div>
  );
}

/** Seconds until then, looked at again from time to time; `onOver` when it is over. */
function useLeft(until: number, onOver: () => void): number {
  const [now, setNow] = useState(() => Date.now() / 1000);
  const isOpen = until > now;
  useEffect(() => {
    if (!isOpen) return undefined;
    const timer = setInterval(() => {
      const next = Date.now() / 1000;
      setNow(next);
      if (next >= until) onOver();
    }, LOOK_MS);
    return () => clearInterval(timer);
  }, [isOpen, until, onOver]);
  return Math.max(0, until - now);
}
