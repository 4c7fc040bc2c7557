/**
 * The first visit: allow the microphone, hear oneself, call somebody. It goes when a call has been talked, or when
 * one says so, and doesn't come again in this browser.
 */
import { useState, useSyncExternalStore } from "react";

import { Button } from "../../components/Button";
import { Section } from "../../components/Page";
import { State } from "../../components/State";
import { around } from "../../language/around";
import { useTexts } from "../../language/texts";
import { MicrophoneProblem, type MicrophoneTrouble as Trouble, openMicrophone } from "../../telephone/devices";
import { watchTelephone, telephoneNow } from "../../telephone/store";
import { MicrophoneTrouble } from "../sound/MicrophoneTrouble";
import { Trying } from "../sound/Microphone";
import "../sound/sound.css";
import { useDialling } from "./placing";

const KEPT = "beffroi.first_minutes";
const watchers = new Set<() => void>();

function isOver(): boolean {
  return localStorage.getItem(KEPT) === "over";
}

function end(): void {
  localStorage.setItem(KEPT, "over");
  for (const watcher of watchers) watcher();
}

/** Whether the first minutes are over in this browser: once a call was talked here, or it was said. */
function useIsOver(echo: string): boolean {
  return useSyncExternalStore((watcher) => {
    watchers.add(watcher);
    const stop = watchTelephone(() => {
      const talked = telephoneNow().calls.some((call) => call.answeredAt !== undefined && call.number !== echo);
      if (talked && !isOver()) end();
    });
    return () => {
      watchers.delete(watcher);
      stop();
    };
  }, isOver);
}

export function FirstMinutes({ echo }: { readonly echo: string }) {
  const words = useTexts(around);
  const dial = useDialling();
  const isDone = useIsOver(echo);
  const [isAllowed, setAllowed] = useState(false);
  const [trouble, setTrouble] = useState<Trouble>();
  if (isDone) return null;
  const allow = () => {
    setTrouble(undefined);
    openMicrophone().then(
      (stream) => {
        stream.getTracks().forEach((track) => track.stop());
        setAllowed(true);
      },
      (failure: unknown) => setTrouble(failure instanceof MicrophoneProblem ? failure.trouble : "microphone_busy"),
    );
  };
  const goToField = () => document.querySelector<HTMLInputElement>(".find input")?.focus();
  return (
    <div className="panel">
    <Section title={words.first_title} actions={<Button kind="quiet" onPress={end}>{words.first_done}</Button>}>
      <p className="muted">{words.first_lead}</p>
      <ol className="first-steps">
        <li>
          <h3>{words.first_microphone}</h3>
          {trouble !== undefined && <MicrophoneTrouble trouble={trouble} />}
          {isAllowed ? (
            <div role="status">
              <State kind="good">{words.first_allowed}</State>
            </div>
          ) : (
            <Button kind="main" onPress={allow}>
              {words.first_allow}
            </Button>
          )}
        </li>
        <li>
          <h3>{words.first_test}</h3>
          {isAllowed && <Trying />}
          {echo !== "" && (
            <p className="actions">
              <Button isDisabled={!isAllowed} onPress={() => dial(echo)}>
                {words.first_echo}
              </Button>
              <span className="muted">{words.first_echo_hint}</span>
            </p>
          )}
        </li>
        <li>
          <h3>{words.first_call}</h3>
          <p>{words.first_ready}</p>
          <Button isDisabled={!isAllowed} onPress={goToField}>
            {words.first_go}
          </Button>
        </li>
      </ol>
    </Section>
    </div>
  );
}
