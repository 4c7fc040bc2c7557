/** Small pieces that several pages of recordings show. */
import { State } from "../../components/State";
import { Table } from "../../components/Table";
import { Time } from "../../components/Time";
import { spokenNumber } from "../../language/moments";
import { recordings } from "../../language/recordings";
import { useTexts } from "../../language/texts";
import type { Entry, Recording } from "./shapes";

export type RecordingWords = ReturnType<typeof useTexts<typeof recordings.fr>>;

/** Who is in a channel: a number, an extension, or what was played to somebody. */
export function partyName(words: { readonly played_to: (who: string) => string }, party: string): string {
  return party.startsWith("to ") ? words.played_to(spokenNumber(party.slice(3))) : spokenNumber(party);
}

export function RecordingState({ recording }: { readonly recording: Pick<Recording, "state" | "held_until_at"> }) {
  const words = useTexts(recordings);
  const held = recording.held_until_at === null ? null : <State kind="warning">{words.held}</State>;
  const kinds = { going: "ringing", ended: "good", repaired: "warning", damaged: "bad", missing: "bad" } as const;
  const kind = kinds[recording.state as keyof typeof kinds] as (typeof kinds)[keyof typeof kinds] | undefined;
  const word = kind === undefined ? recording.state : words[recording.state as keyof typeof kinds];
  return (
    <span className="states">
      <State kind={kind ?? "off"}>{word}</State> {held}
    </span>
  );
}

/** What an entry of the journal says was done. */
export function useDone(): (entry: Entry) => string {
  const words = useTexts(recordings);
  return (entry) => {
    const key = `did_${entry.what.replaceAll(" ", "_")}`;
    const known = (words as Readonly<Record<string, unknown>>)[key];
    return typeof known === "string" ? known : entry.what;
  };
}

/** Entries of the journal, the newest first. hasRecording: each says which recording it is about. */
export function JournalTable({
  label,
  entries,
  empty,
  recordingCell,
}: {
  readonly label: string;
  readonly entries: readonly Entry[];
  readonly empty: string;
  readonly recordingCell?: (entry: Entry) => React.ReactNode;
}) {
  const words = useTexts(recordings);
  const done = useDone();
  const about = (entry: Entry) => [entry.reason, textOf(entry.about.refusal), textOf(entry.about.doubt)].filter(Boolean).join(" — ");
  const byWhom = (entry: Entry) => {
    if (entry.by === "node") return words.by_node;
    return entry.over_pages ? entry.by : `${entry.by} (${words.over_command})`;
  };
  return (
    <Table
      label={label}
      rows={[...entries].reverse()}
      rowKey={(entry) => String(entry.number)}
      empty={empty}
      hasFilter={entries.length > 8}
      columns={[
        { key: "at", title: words.when, cell: (entry) => <Time at={entry.at} />, value: (entry) => entry.at },
        { key: "by", title: words.who, cell: byWhom, text: byWhom },
        { key: "what", title: words.what, cell: done, text: done, isMain: true },
        ...(recordingCell === undefined
          ? []
          : [{ key: "recording", title: words.entry_recording, cell: recordingCell, text: (entry: Entry) => entry.recording }]),
        { key: "why", title: words.why, cell: about, text: about },
        { key: "number", title: words.entry, cell: (entry) => entry.number, value: (entry) => entry.number, align: "end" as const },
      ]}
    />
  );
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** That nothing is erased while the clock is in doubt; the recorder says why in English. */
export function ClockDoubt({ why }: { readonly why: string }) {
  const words = useTexts(recordings);
  return (
    <p className="warning-box clock-doubt">
      {words.clock_doubt} <span lang="en">({why})</span>
    </p>
  );
}
