/**
 * The telephone above every page: what rings, always here and first; the calls in progress, but on the telephone's own
 * page, which shows them larger. What happens to a call is said to a screen reader, and rings in the page's title.
 */
import { useEffect, useRef, useState } from "react";

import { Button } from "../components/Button";
import { notify } from "../components/Notices";
import { Badge, State } from "../components/State";
import { Link } from "../components/Link";
import { Since } from "../components/Time";
import { spokenNumber } from "../language/moments";
import { telephone as words_of } from "../language/telephone";
import { useTexts } from "../language/texts";
import type { PhoneCall } from "../telephone/shapes";
import { living, useTelephone } from "../telephone/store";
import { telephone } from "../telephone/telephone";
import { stateOf, whoIs, whyEnded } from "../telephone/wording";
import { openTelephone } from "../telephone/opening";
import "./callbar.css";

const TITLE_MS = 1000;

export function CallBar({ extension, path }: { readonly extension: string; readonly path: string }) {
  const words = useTexts(words_of);
  const { calls } = useTelephone();
  useEffect(() => (extension === "" ? undefined : openTelephone()), [extension]);
  useRingingTitle(calls);
  useSaid();
  const ringing = calls.filter((call) => call.state === "ringing");
  const others = path === "/telephone" ? [] : living(calls).filter((call) => call.state !== "ringing");
  return (
    <>
      {(ringing.length > 0 || others.length > 0) && (
        <section className="call-bar" aria-label={words.bar}>
          {ringing.map((call, index) => (
            <Ringing key={call.id} call={call} isFirst={index === 0} />
          ))}
          {others.map((call) => (
            <Going key={call.id} call={call} isFirst={call === others.find((one) => !one.isHeld)} />
          ))}
        </section>
      )}
      <Announced calls={calls} />
    </>
  );
}

function Ringing({ call, isFirst }: { readonly call: PhoneCall; readonly isFirst: boolean }) {
  const words = useTexts(words_of);
  const who = whoIs(call, words);
  const { features } = useTelephone();
  return (
    <div className="call-line rings">
      <div className="call-who">
        <State kind="ringing">{words.incoming}</State>
        <strong>{who}</strong>
        {call.name !== "" && <span className="number">{spokenNumber(call.number)}</span>}
        {call.through !== "" && <Badge>{words.through(call.through)}</Badge>}
      </div>
      <div className="actions">
        <Button
          kind="main"
          label={words.with(words.answer, who)}
          {...(isFirst ? { shortcut: "a" } : {})}
          onPress={() => telephone.answer(call.id)}
        >
          {words.answer}
        </Button>
        {features.video && call.video.isTheirs && (
          <Button onPress={() => telephone.answer(call.id, { video: true })}>{words.answer_video}</Button>
        )}
        <Button
          kind="danger"
          label={words.with(words.reject, who)}
          {...(isFirst ? { shortcut: "r" } : {})}
          onPress={() => telephone.reject(call.id)}
        >
          {words.reject}
        </Button>
        <Button
          label={words.with(words.to_voicemail, who)}
          {...(isFirst ? { shortcut: "v" } : {})}
          onPress={() => telephone.toVoicemail(call.id)}
        >
          {words.to_voicemail}
        </Button>
        <ListenOnly call={call} />
      </div>
    </div>
  );
}

/** Where there is no microphone, one can still hear who calls. */
function ListenOnly({ call }: { readonly call: PhoneCall }) {
  const words = useTexts(words_of);
  const { troubles } = useTelephone();
  if (!troubles.some((one) => one.startsWith("microphone_"))) return null;
  return <Button onPress={() => telephone.answer(call.id, { listen: true })}>{words.listen_only}</Button>;
}

function Going({ call, isFirst }: { readonly call: PhoneCall; readonly isFirst: boolean }) {
  const words = useTexts(words_of);
  const state = stateOf(call, words);
  const speaks = call.answeredAt !== undefined;
  return (
    <div className="call-line">
      <div className="call-who">
        <State kind={state.kind}>{state.text}</State>
        <Link to="/telephone">
          <strong>{whoIs(call, words)}</strong>
        </Link>
        {call.answeredAt !== undefined && <Since at={call.answeredAt} />}
        {call.recorded === "on" && <State kind="bad">{words.recorded}</State>}
      </div>
      <div className="actions">
        {speaks && (
          <>
            <Button
              isPressed={call.isMuted}
              {...(isFirst ? { shortcut: "m" } : {})}
              onPress={() => telephone.mute(call.id, !call.isMuted)}
            >
              {words.mute}
            </Button>
            <Button
              {...(isFirst ? { shortcut: "h" } : {})}
              onPress={() => (call.isHeld ? telephone.resume(call.id) : telephone.hold(call.id))}
            >
              {call.isHeld ? words.resume : words.hold}
            </Button>
          </>
        )}
        <Button
          kind="danger"
          label={words.with(words.hang_up, whoIs(call, words))}
          {...(isFirst ? { shortcut: "x" } : {})}
          onPress={() => telephone.hangUp(call.id)}
        >
          {words.hang_up}
        </Button>
      </div>
    </div>
  );
}

/** What rings stands in the title of the tab, in turn with the page's own. */
function useRingingTitle(calls: readonly PhoneCall[]): void {
  const words = useTexts(words_of);
  const first = calls.find((call) => call.state === "ringing");
  const title = first === undefined ? "" : words.with(words.incoming, whoIs(first, words));
  useEffect(() => {
    if (title === "") return undefined;
    let own = document.title;
    const turn = () => {
      if (document.title === title) document.title = own;
      else {
        own = document.title;
        document.title = title;
      }
    };
    turn();
    const timer = setInterval(turn, TITLE_MS);
    return () => {
      clearInterval(timer);
      if (document.title === title) document.title = own;
    };
  }, [title]);
}

/** What the telephone has to say once becomes a notice. */
function useSaid(): void {
  const words = useTexts(words_of);
  const { said } = useTelephone();
  const last = useRef(said?.id);
  useEffect(() => {
    if (said === undefined || said.id === last.current) return;
    last.current = said.id;
    const wording = words[said.what];
    const isBad = ["transfer_failed", "not_possible", "device_gone", "cannot_dial"].includes(said.what);
    notify(typeof wording === "string" ? wording : wording(said.about), isBad ? "bad" : "good");
  }, [said, words]);
}

/** What has happened to calls, in words for who doesn't see them: a call that comes in interrupts, the rest waits. */
function Announced({ calls }: { readonly calls: readonly PhoneCall[] }) {
  const words = useTexts(words_of);
  const before = useRef<readonly PhoneCall[]>([]);
  const [loud, setLoud] = useState("");
  const [quiet, setQuiet] = useState("");
  useEffect(() => {
    for (const call of calls) {
      const was = before.current.find((one) => one.id === call.id);
      const text = happened(call, was, words);
      if (text === "") continue;
      if (call.state === "ringing") setLoud(text);
      else setQuiet(text);
    }
    if (!calls.some((call) => call.state === "ringing")) setLoud("");
    before.current = calls;
  }, [calls, words]);
  return (
    <>
      {/* An alert is said when it appears: while nothing rings there is none. */}
      {loud !== "" && (
        <p className="unseen" role="alert">
          {loud}
        </p>
      )}
      <p className="unseen" role="status" data-said="calls">
        {quiet}
      </p>
    </>
  );
}

type TelephoneWords = ReturnType<typeof useTexts<(typeof words_of)["fr"]>>;

function happened(call: PhoneCall, was: PhoneCall | undefined, words: TelephoneWords): string {
  const who = whoIs(call, words);
  if (call.state !== was?.state) {
    if (call.state === "ringing") {
      const through = call.through === "" ? "" : `, ${words.through(call.through)}`;
      return words.said_incoming(`${who}${call.name === "" ? "" : `, ${spokenNumber(call.number)}`}${through}`);
    }
    if (call.state === "ended") return words.said_ended(who, whyEnded(call, words));
    if (call.state === "returning") return words.said_returning;
    if (call.state === "talking") return was?.state === "returning" ? words.said_back : words.said_answered(who);
    if (call.state === "calling") return words.calling;
  }
  if (was === undefined) return "";
  if (call.isHeld && !was.isHeld) return words.said_held(who);
  if (call.isHeldThere && !was.isHeldThere) return words.said_held_there(who);
  if ((!call.isHeld && was.isHeld) || (!call.isHeldThere && was.isHeldThere)) return words.said_answered(who);
  if (call.recorded === "on" && was.recorded !== "on") return words.said_recorded;
  if (call.ringsThere && !was.ringsThere) return words.rings_there;
  return "";
}
