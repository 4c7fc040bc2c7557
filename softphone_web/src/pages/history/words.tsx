/** How a past call is put in words: who, what became of it, how it was heard. */
import { PhoneNumber } from "../../components/PhoneNumber";
import { type Kind, State } from "../../components/State";
import { history } from "../../language/history";
import { spokenNumber } from "../../language/moments";
import { useTexts } from "../../language/texts";
import type { Outcome, PastCall, Quality } from "./shapes";

const OUTCOMES: Readonly<Record<Outcome, Kind>> = {
  answered: "good",
  elsewhere: "off",
  message: "warning",
  busy: "busy",
  refused: "bad",
  no_answer: "warning",
  failed: "bad",
};
const QUALITIES: Readonly<Record<Quality, Kind>> = {
  good: "good",
  fair: "warning",
  poor: "bad",
  bad: "bad",
  unknown: "off",
};

export function OutcomeShown({ outcome }: { readonly outcome: Outcome }) {
  const words = useTexts(history);
  return <State kind={OUTCOMES[outcome]}>{words[`outcome_${outcome}`]}</State>;
}

export function QualityShown({ quality }: { readonly quality: Quality }) {
  const words = useTexts(history);
  if (quality === "unknown") return <span className="muted">–</span>;
  return <State kind={QUALITIES[quality]}>{words[`quality_${quality}`]}</State>;
}

/** A number that can be called, with the name of who has it. */
export function Party({ number, name }: { readonly number: string; readonly name: string }) {
  const words = useTexts(history);
  if (number === "") return <span className="muted">{name === "" ? words.hidden : name}</span>;
  const isNamed = name !== "" && name !== number;
  return (
    <span className="history-party">
      {isNamed && <span>{name}</span>}
      <PhoneNumber number={number} name={name} />
    </span>
  );
}

/** Who called, and who was called, in a few words. */
export function useParties(): (call: PastCall) => { readonly who: string; readonly whom: string; readonly dialled: string } {
  const words = useTexts(history);
  const named = (name: string, number: string) => (name === "" ? spokenNumber(number) : name);
  return (call) => ({
    who: named(call.from_name, call.from_number) || words.hidden,
    whom: named(call.to_name, call.to) || spokenNumber(call.dialled) || words.nobody,
    dialled: spokenNumber(call.dialled) || named(call.to_name, call.to) || words.nobody,
  });
}

/** A length as it is said: « 1 min 05 s ». */
function useLength(): (seconds: number) => string {
  const words = useTexts(history);
  return (exact) => {
    const seconds = Math.round(exact);
    if (seconds >= 3600) return words.hours(Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60);
    return seconds >= 60 ? words.minutes(Math.floor(seconds / 60), seconds % 60) : words.seconds(seconds);
  };
}

/** One sentence that says what happened. */
export function useSummary(): (call: PastCall) => string {
  const words = useTexts(history);
  const parties = useParties();
  const length = useLength();
  return (call) => {
    const { who, whom, dialled } = parties(call);
    if (call.outcome !== "answered") {
      const isPerson = call.dialled === call.to;
      return words[`summary_${call.outcome}`](who, isPerson ? whom : dialled);
    }
    const spoken = length(call.ended_at - (call.answered_at ?? call.ended_at));
    return call.dialled === call.to || call.to === ""
      ? words.summary_same(who, whom, spoken)
      : words.summary_answered(who, whom, dialled, spoken);
  };
}
