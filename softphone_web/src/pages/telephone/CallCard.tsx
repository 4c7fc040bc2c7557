/** One call on the telephone's page: who, how it is, how it sounds, and all that can be done in it. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Badge, State } from "../../components/State";
import { Since } from "../../components/Time";
import { spokenNumber } from "../../language/moments";
import { telephone as words_of } from "../../language/telephone";
import { useTexts } from "../../language/texts";
import type { PhoneCall } from "../../telephone/shapes";
import { useTelephone } from "../../telephone/store";
import { telephone } from "../../telephone/telephone";
import { stateOf, whoIs, whyEnded } from "../../telephone/wording";
import { InCallKeys } from "./InCallKeys";
import { QualityShown } from "./QualityShown";
import { TransferDialog } from "./TransferDialog";
import { Videos } from "./Videos";

export function CallCard({ call, others }: { readonly call: PhoneCall; readonly others: readonly PhoneCall[] }) {
  const words = useTexts(words_of);
  const state = stateOf(call, words);
  const who = whoIs(call, words);
  return (
    <article className="call-card" aria-label={who} data-state={call.state} data-held={call.isHeld}>
      <div className="call-who">
        <State kind={state.kind}>{state.text}</State>
        <strong>{who}</strong>
        {call.name !== "" && call.conference.length === 0 && <span className="number">{spokenNumber(call.number)}</span>}
        {call.through !== "" && <Badge>{words.through(call.through)}</Badge>}
        {call.answeredAt !== undefined && call.state !== "ended" && <Since at={call.answeredAt} />}
        {call.isMuted && call.state !== "ended" && <Badge>{words.muted}</Badge>}
        {call.isListening && call.state !== "ended" && <Badge>{words.listening}</Badge>}
        {call.recorded === "on" && call.state !== "ended" && <State kind="bad">{words.recorded}</State>}
        {call.recorded === "stopped" && call.state !== "ended" && <Badge>{words.not_recorded}</Badge>}
      </div>
      {call.state === "ended" ? <Over call={call} /> : <Living call={call} others={others} />}
    </article>
  );
}

function Over({ call }: { readonly call: PhoneCall }) {
  const words = useTexts(words_of);
  return (
    <>
      <p>{whyEnded(call, words)}</p>
      <div className="actions">
        {call.number !== "" && (
          <Button onPress={() => callAgain(call)}>{call.place === "" ? words.again : words.take_back}</Button>
        )}
        <Button kind="quiet" onPress={() => telephone.forget(call.id)}>
          {words.forget}
        </Button>
      </div>
    </>
  );
}

/** Call who was there; or take them back from where they were parked, where they are no more then. */
function callAgain(call: PhoneCall): void {
  void telephone.dial(call.place === "" ? call.number : call.place).catch(() => undefined);
  if (call.place !== "") telephone.forget(call.id);
}

function Living({ call, others }: { readonly call: PhoneCall; readonly others: readonly PhoneCall[] }) {
  const words = useTexts(words_of);
  const speaks = call.answeredAt !== undefined;
  const hangUp = (
    <Button
      kind="danger"
      {...(call.isHeld ? {} : { shortcut: "x" })}
      onPress={() => telephone.hangUp(call.id)}
    >
      {speaks ? words.hang_up : words.give_up}
    </Button>
  );
  if (!speaks) return <div className="actions">{hangUp}</div>;
  return (
    <>
      <Videos call={call} />
      <QualityShown call={call} />
      <InCall call={call} others={others}>
        {hangUp}
      </InCall>
    </>
  );
}

function InCall({
  call,
  others,
  children,
}: {
  readonly call: PhoneCall;
  readonly others: readonly PhoneCall[];
  readonly children: React.ReactNode;
}) {
  const words = useTexts(words_of);
  const { features } = useTelephone();
  const [isKeying, setKeying] = useState(false);
  const [isSending, setSending] = useState(false);
  const key = (shortcut: string) => (call.isHeld ? {} : { shortcut });
  return (
    <>
      <div className="actions">
        <Button isPressed={call.isMuted} {...key("m")} onPress={() => telephone.mute(call.id, !call.isMuted)}>
          {words.mute}
        </Button>
        <Button
          {...key("h")}
          onPress={() => (call.isHeld ? telephone.resume(call.id) : telephone.hold(call.id))}
        >
          {call.isHeld ? words.resume : words.hold}
        </Button>
        {!call.isHeld && (
          <Button isPressed={isKeying} shortcut="k" onPress={() => setKeying(!isKeying)}>
            {words.keys}
          </Button>
        )}
        <Button {...key("t")} onPress={() => setSending(true)}>
          {words.transfer}
        </Button>
        {others.filter((one) => one.answeredAt !== undefined && one.state !== "ended").map((one) => (
          <Together key={one.id} call={call} other={one} />
        ))}
        {!call.isHeld && <Button onPress={() => telephone.park(call.id)}>{words.park}</Button>}
        {(call.mayStopRecording || call.mayRecord) && (
          <Button onPress={() => telephone.record(call.id, call.recorded !== "on")}>
            {{ "": words.record, on: words.record_stop, stopped: words.record_again }[call.recorded]}
          </Button>
        )}
        {features.video && !call.isHeld && (
          <Button isPressed={call.video.isOurs} onPress={() => telephone.showVideo(call.id, !call.video.isOurs)}>
            {call.video.isOurs ? words.video_stop : words.video}
          </Button>
        )}
        {children}
      </div>
      {isKeying && !call.isHeld && <InCallKeys call={call} />}
      {isSending && <TransferDialog call={call} onClose={() => setSending(false)} />}
    </>
  );
}

/** Two calls: the others connected with each other, or all three together. */
function Together({ call, other }: { readonly call: PhoneCall; readonly other: PhoneCall }) {
  const words = useTexts(words_of);
  const who = whoIs(other, words);
  if (call.isHeld) return null; // offered beside the one that is open
  return (
    <>
      <Button onPress={() => telephone.transferAttended(other.id, call.id)}>{words.transfer_with(who)}</Button>
      <Button onPress={() => telephone.merge(call.id, other.id)}>{words.merge_with(who)}</Button>
    </>
  );
}
