/** The first telephone signs in, and the first call happens: told as it happens. */
import { useEffect, useState } from "react";

import { Button } from "../../components/Button";
import { Facts } from "../../components/Facts";
import { Page, Section } from "../../components/Page";
import { Secret } from "../../components/Secret";
import { State } from "../../components/State";
import { firstRun } from "../../language/first_run";
import { useTexts } from "../../language/texts";
import { type NodeEvent, useEvents } from "../../server/events";
import { useList } from "../../server/resource";
import { useSession } from "../../server/session";
import { navigate } from "../../shell/place";
import { Ladder } from "../history/Ladder";
import { EVENTS, type PastCall } from "../history/shapes";
import { CallSteps } from "./CallSteps";
import { firstTelephone } from "./first_telephone";
import "./first_run.css";

const USUAL_ECHO = "9196";
/** How often the call is looked for that has ended, until it is kept. */
const LOOK_MS = 1000;
const KINDS = ["DeviceReachable", "CallStarted", "CallRinging", "CallAnswered", "LegLeft", "CallEnded"];

export default function FirstCall() {
  const words = useTexts(firstRun);
  const { extension } = useSession();
  const telephone = firstTelephone();
  const [isConnected, setConnected] = useState(false);
  const [steps, setSteps] = useState<readonly NodeEvent[]>([]);
  useEvents(KINDS, (event) => {
    if (event.event === "DeviceReachable") setConnected((before) => before || event.device === extension);
    else setSteps((before) => followed(before, event, extension));
  });
  const isOver = steps.some((step) => step.event === "CallEnded");
  // Once it is kept, the messages that were really sent.
  const past = useList<PastCall>("/history", { events: EVENTS });
  const kept = isOver ? past.items.find((one) => one.id === steps[0]?.["call"]) : undefined;
  const isAwaited = isOver && kept === undefined;
  const { reload } = past;
  useEffect(() => {
    if (!isAwaited) return undefined;
    const timer = setInterval(reload, LOOK_MS);
    return () => clearInterval(timer);
  }, [isAwaited, reload]);
  const echo = telephone?.echo ?? USUAL_ECHO;
  return (
    <Page title={words.phone_title} lead={words.phone_lead}>
      {telephone === undefined ? (
        <p className="warning-box">{words.gone}</p>
      ) : (
        <div className="first-telephone">
          <div>
            <Facts
              facts={[
                [words.server, <code key="server">{telephone.server}</code>],
                [words.sign_in, <code key="sign_in">{telephone.sign_in}</code>],
              ]}
            />
            <Secret label={words.phone_password} value={telephone.password} />
          </div>
          <img src={`data:image/svg+xml;base64,${telephone.picture}`} alt={words.picture} />
        </div>
      )}
      <ol className="first-steps" aria-live="polite">
        <li>
          <h2>{words.connect}</h2>
          {isConnected || steps.length > 0 ? (
            <State kind="good">{words.connected}</State>
          ) : (
            <State kind="off">{words.waiting}</State>
          )}
        </li>
        <li>
          <h2>{words.dial(echo)}</h2>
          <p className="muted">{words.dial_more}</p>
          <CallState steps={steps} />
        </li>
      </ol>
      {steps.length > 0 && (
        <Section title={words.ladder}>
          {kept !== undefined ? (
            <Ladder call={kept.id} />
          ) : (
            <CallSteps steps={steps} extension={extension} echo={echo} />
          )}
        </Section>
      )}
      {isOver && (
        <Section title={words.done}>
          <p>{words.done_more}</p>
        </Section>
      )}
      <p className="actions">
        <Button kind={isOver ? "main" : "plain"} onPress={() => navigate("/")}>
          {isOver ? words.go_on : words.later}
        </Button>
      </p>
    </Page>
  );
}

/** The steps of the first call of this extension: those of other calls are not ours. */
function followed(before: readonly NodeEvent[], event: NodeEvent, extension: string): readonly NodeEvent[] {
  const ours = before[0]?.call;
  if (ours === undefined) {
    return event.event === "CallStarted" && event.from_number === extension ? [event] : before;
  }
  const isAgain = event.event === "CallStarted" && before.some((step) => step.event === "CallEnded");
  if (isAgain && event.from_number === extension) return [event];
  return event.call === ours ? [...before, event] : before;
}

function CallState({ steps }: { readonly steps: readonly NodeEvent[] }) {
  const words = useTexts(firstRun);
  const has = (kind: string) => steps.some((step) => step.event === kind);
  if (has("CallEnded")) return <State kind="good">{words.ended}</State>;
  if (has("CallAnswered")) return <State kind="busy">{words.talking}</State>;
  if (steps.length > 0) return <State kind="ringing">{words.calling}</State>;
  return <State kind="off">{words.waiting_call}</State>;
}
