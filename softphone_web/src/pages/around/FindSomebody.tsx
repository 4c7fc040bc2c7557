/**
 * Whom to call: one field that takes a name or a number, and those whom one calls most.
 *
 * By keyboard alone: `/` goes to the field, Enter calls the first that was found, the arrows go up and down among
 * them and from one action to the next, Escape empties the field.
 */
import { type KeyboardEvent, useEffect, useId, useRef, useState } from "react";

import { Link } from "../../components/Link";
import { Section } from "../../components/Page";
import { Problem } from "../../components/Problem";
import { around } from "../../language/around";
import { directory } from "../../language/directory";
import { spokenNumber } from "../../language/moments";
import { useTexts } from "../../language/texts";
import type { List } from "../../server/api";
import { useResource } from "../../server/resource";
import { useSession } from "../../server/session";
import { useShortcut } from "../../shell/shortcuts";
import { telephone } from "../../telephone/telephone";
import { Face } from "../directory/Face";
import type { Entry } from "../directory/shapes";
import { DoingShown } from "./DoingShown";
import { useDialling, useTransferable } from "./placing";
import { type Presence, usePresence } from "./presence";

const MOST_FOUND = 8;
const PAUSE_MS = 120;
/** What may be dialled as it is typed: digits, +, * and #, with what people write between them. */
const NUMBER = /^[+*#0-9][*#0-9 .()/-]*$/;

export function FindSomebody() {
  const words = useTexts(around);
  const id = useId();
  const field = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const [typed, setTyped] = useState("");
  const found = useFound(typed.trim());
  const dial = useDialling();
  useShortcut("/", words.find_key, () => field.current?.focus());
  const number = NUMBER.test(typed.trim()) ? typed.replace(/[ .()/-]/g, "") : "";
  const first = found.items.find((one) => one.number !== "");
  const pressed = (event: KeyboardEvent) => {
    if (event.key === "Enter") {
      // A number that is typed in full is that number, whoever it is found in.
      if (number !== "") dial(number);
      else if (first !== undefined) dial(first.number, first.name);
    } else if (event.key === "Escape") setTyped("");
    else if (event.key === "ArrowDown") {
      event.preventDefault();
      list.current?.querySelector<HTMLElement>("li button, li a")?.focus();
    }
  };
  return (
    <Section title={words.find}>
      <div className="find" role="search" aria-label={words.find}>
        <label htmlFor={id} className="unseen">
          {words.find}
        </label>
        <input
          id={id}
          ref={field}
          type="search"
          value={typed}
          maxLength={60}
          autoComplete="off"
          spellCheck={false}
          aria-describedby={`${id}hint`}
          aria-keyshortcuts="/"
          onChange={(event) => setTyped(event.target.value)}
          onKeyDown={pressed}
        />
        <p id={`${id}hint`} className="hint">
          {words.find_hint}
        </p>
        <p className="unseen" role="status">
          {typed.trim() !== "" && found.isAnswered && words.found(found.items.length)}
        </p>
      </div>
      {found.problem !== undefined && <Problem problem={found.problem} onRetry={found.reload} />}
      {/* The keys are those of the buttons in it: the list itself takes no focus. */}
      {/* eslint-disable-next-line jsx-a11y/no-static-element-interactions */}
      <div ref={list} onKeyDown={(event) => walk(event, field.current)}>
        {typed.trim() === "" ? <Usual /> : <Results typed={typed.trim()} number={number} found={found} />}
      </div>
    </Section>
  );
}

interface Found {
  readonly items: readonly Entry[];
  readonly isAnswered: boolean;
  readonly problem: ReturnType<typeof useResource>["problem"];
  readonly reload: () => void;
}

/** What fits best, as the server hears it; what was found stays while it looks again. */
function useFound(typed: string): Found {
  const [asked, setAsked] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => setAsked(typed), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [typed]);
  const path = `/directory?limit=${MOST_FOUND}&search=${encodeURIComponent(asked)}`;
  const answer = useResource<List<Entry>>(asked === "" ? undefined : path);
  const [kept, setKept] = useState<readonly Entry[]>([]);
  if (answer.data !== undefined && answer.data.items !== kept) setKept(answer.data.items);
  const isAnswered = asked === typed && answer.data !== undefined;
  return {
    items: typed === "" ? [] : (answer.data?.items ?? kept),
    isAnswered,
    problem: answer.problem,
    reload: answer.reload,
  };
}

function Results({
  typed,
  number,
  found,
}: {
  readonly typed: string;
  readonly number: string;
  readonly found: Found;
}) {
  const words = useTexts(around);
  const dial = useDialling();
  const presence = usePresence(found.items.filter((one) => one.kind === "person").map((one) => one.number));
  return (
    <>
      <ul className="found" aria-label={words.find}>
        {number !== "" && (
          <li>
            <button type="button" className="button main" onClick={() => dial(number)}>
              {words.dial(spokenNumber(number))}
            </button>
          </li>
        )}
        {/* A group without a number can't be called. */}
        {found.items.filter((entry) => entry.number !== "").map((entry) => (
          <Somebody key={entry.id} entry={entry} presence={presence} />
        ))}
      </ul>
      {found.isAnswered && found.items.length === 0 && number === "" && (
        <p className="muted">{words.nobody(typed)}</p>
      )}
    </>
  );
}

/** Before anything is typed: one's favourites, the switchboard, and those of one's groups. */
function Usual() {
  const words = useTexts(around);
  const { extension } = useSession();
  const kept = useResource<List<Entry>>("/directory/favourites");
  const favourites = kept.data?.items ?? [];
  const people = favourites.filter((one) => one.kind === "person").map((one) => one.number);
  const presence = usePresence(people);
  const near = usePresence();
  const others = near.items.filter((one) => one.extension !== extension && !people.includes(one.extension));
  const dial = useDialling();
  return (
    <>
      {favourites.length > 0 && (
        <>
          <h3>{words.favourites}</h3>
          <ul className="found" aria-label={words.favourites}>
            {favourites.map((entry) => (
              <Somebody key={entry.id} entry={entry} presence={presence} />
            ))}
          </ul>
        </>
      )}
      {near.isKnown && (
        <>
          <h3>{words.colleagues}</h3>
          {others.length === 0 && <p className="muted">{words.no_colleagues}</p>}
          <ul className="found" aria-label={words.colleagues}>
            {others.map((one) => (
              <Somebody key={one.extension} entry={asEntry(one.extension, one.name)} presence={near} />
            ))}
          </ul>
          {near.switchboard !== "" && (
            <p className="actions">
              <button type="button" className="button" onClick={() => dial(near.switchboard, words.switchboard)}>
                {words.call_switchboard}
              </button>
              <SendOn number={near.switchboard} who={words.switchboard} />
            </p>
          )}
        </>
      )}
    </>
  );
}

type Shown = Pick<Entry, "kind" | "name" | "number" | "site_title" | "photo_at" | "members" | "absence">;

function asEntry(number: string, name: string): Shown {
  return { kind: "person", name, number, site_title: "", photo_at: 0, members: 0, absence: null };
}

/** Somebody, or something, that can be called: what they do, and what can be done. */
function Somebody({ entry, presence }: { readonly entry: Shown; readonly presence: Presence }) {
  const words = useTexts(around);
  const said = useTexts(directory);
  const session = useSession();
  const dial = useDialling();
  const colleague = entry.kind === "person" ? presence.of(entry.number) : undefined;
  const code = colleague?.state === "ringing" ? presence.pickUp(entry.number) : "";
  const isOneself = entry.kind === "person" && entry.number === session.extension;
  const about = entry.kind === "group" ? said.members(entry.members) : entry.kind === "service" ? said.service : entry.site_title;
  return (
    <li>
      <Face entry={entry as Entry} />
      <span className="found-who">
        <span className="found-name">{entry.name}</span>
        <span className="muted found-about">
          {[entry.number, about].filter(Boolean).join(" · ")}
          {entry.absence !== null && ` · ${entry.absence.text}`}
        </span>
        <DoingShown colleague={colleague} />
      </span>
      <span className="found-actions">
        {code !== "" && (
          <button type="button" className="button main" aria-label={words.pick_up_of(entry.name)} onClick={() => dial(code)}>
            {words.pick_up}
          </button>
        )}
        {entry.number !== "" && !isOneself && (
          <>
            <button
              type="button"
              className="button"
              aria-label={words.call_who(entry.name)}
              onClick={() => dial(entry.number, entry.name)}
            >
              {words.call}
            </button>
            <SendOn number={entry.number} who={entry.name} />
          </>
        )}
        {entry.kind === "person" && session.rights.includes("people.read") && (
          <Link to={`/directory/${encodeURIComponent(entry.number)}`} className="button quiet" label={words.card_of(entry.name)}>
            {words.card}
          </Link>
        )}
      </span>
    </li>
  );
}

/** Send the call that one is in to somebody; nothing while one is in none. */
function SendOn({ number, who }: { readonly number: string; readonly who: string }) {
  const words = useTexts(around);
  const call = useTransferable();
  if (call === undefined || call.number === number) return null;
  return (
    <button
      type="button"
      className="button"
      aria-label={words.transfer_to(who)}
      onClick={() => telephone.transfer(call.id, number)}
    >
      {words.transfer}
    </button>
  );
}

/** Up and down among those who were found, left and right among what can be done with one of them. */
function walk(event: KeyboardEvent<HTMLDivElement>, field: HTMLInputElement | null): void {
  const target = event.target instanceof HTMLElement ? event.target : null;
  const row = target?.closest("li, p") ?? null;
  if (row === null || target === null) return;
  const rows = [...event.currentTarget.querySelectorAll("li, p.actions")];
  const among = [...row.querySelectorAll<HTMLElement>("button, a")];
  const at = rows.indexOf(row);
  const first = (of: Element | undefined) => of?.querySelector<HTMLElement>("button, a") ?? null;
  let next: HTMLElement | null | undefined;
  if (event.key === "ArrowDown") next = first(rows[at + 1]);
  else if (event.key === "ArrowUp") next = at === 0 ? field : first(rows[at - 1]);
  else if (event.key === "ArrowRight") next = among[among.indexOf(target) + 1];
  else if (event.key === "ArrowLeft") next = among[among.indexOf(target) - 1];
  else return;
  event.preventDefault();
  next?.focus();
}
