/**
 * A recording that is listened to: each party in an ear, or one alone; speed, silence left out, moments of the call.
 *
 * The sound comes from the server as it is asked for; nothing of it is kept. The session's cookie opens it, and the
 * address says nothing to anybody else.
 */
import { useEffect, useMemo, useRef, useState } from "react";

import { Button } from "../../components/Button";
import { Checkbox, Select } from "../../components/Field";
import { Problem } from "../../components/Problem";
import { length, momentInFull } from "../../language/moments";
import { recordings } from "../../language/recordings";
import { useTexts } from "../../language/texts";
import { type ServerProblem, address, api } from "../../server/api";
import { asProblem } from "../../server/resource";
import { Waveform } from "./Waveform";
import type { Listening, ListeningState } from "./shapes";
import { partyName } from "./words";

const STEP_SECONDS = 5;
const SPEEDS = ["0.5", "0.75", "1", "1.25", "1.5", "2", "3"];
const ASK_MS = 400;
const NONE: ListeningState = { seconds_made: 0, finished: false, failed: "", peaks: [], quiet: [] };

export function Player({ listening, onClose }: { readonly listening: Listening; readonly onClose?: () => void }) {
  const words = useTexts(recordings);
  const audio = useRef<HTMLAudioElement>(null);
  const [at, setAt] = useState(0);
  const [isPlaying, setPlaying] = useState(false);
  const [ears, setEars] = useState(listening.channels.length > 1 ? "each" : "all");
  const [speed, setSpeed] = useState("1");
  const [isSkipping, setSkipping] = useState(false);
  const { state, problem } = useSoundState(listening.listening);
  const [lost, setLost] = useState<ServerProblem>();
  const heard = useMemo(() => channelsOf(ears, listening.channels.length), [ears, listening.channels.length]);
  const names = listening.channels.map((channel) => partyName(words, channel.party));
  const quietEars = new Set(names.map((_, index) => index).filter((index) => ![...heard.left, ...heard.right].includes(index)));
  const source = address(`/recordings/listenings/${listening.listening}/sound`);
  const ear = (channels: readonly number[]) => channels.join(",");
  const url = `${source}?left=${ear(heard.left)}&right=${ear(heard.right)}`;

  useEffect(() => {
    const element = audio.current;
    if (element !== null) element.playbackRate = Number(speed);
  }, [speed, url]);
  // The server lets go of the sound when the page does.
  useEffect(
    () => () => {
      api.delete(`/recordings/listenings/${listening.listening}`).catch(() => undefined);
    },
    [listening.listening],
  );

  const seek = (second: number) => {
    const element = audio.current;
    if (element === null) return;
    const to = Math.min(Math.max(0, second), listening.seconds);
    element.currentTime = to;
    setAt(to);
  };
  // From where the sound is, and not from where the page has last seen it.
  const step = (seconds: number) => seek((audio.current?.currentTime ?? 0) + seconds);
  const toggle = () => {
    const element = audio.current;
    if (element === null) return;
    if (element.paused) element.play().catch(() => setPlaying(false));
    else element.pause();
  };
  const moved = () => {
    const element = audio.current;
    if (element === null) return;
    const now = element.currentTime;
    const silence = isSkipping ? state.quiet.find(([from, to]) => now > from + 0.3 && now < to - 0.5) : undefined;
    if (silence === undefined || element.paused) setAt(now);
    else seek(silence[1] - 0.3);
  };
  // Whom one hears is another sound of the server: it goes on where it was.
  const changeEars = (choice: string) => {
    const element = audio.current;
    setEars(choice);
    if (element === null) return;
    const [second, wasPlaying] = [element.currentTime, !element.paused];
    element.addEventListener(
      "loadedmetadata",
      () => {
        element.currentTime = second;
        if (wasPlaying) element.play().catch(() => setPlaying(false));
      },
      { once: true },
    );
  };
  const failed = () => {
    api.get(`/recordings/listenings/${listening.listening}`).catch((failure: unknown) => setLost(asProblem(failure)));
  };
  const all = length(listening.seconds);
  return (
    <div className="player" role="group" aria-label={words.player}>
      {lost !== undefined && <Problem problem={lost} />}
      {problem !== undefined && lost === undefined && <Problem problem={problem} />}
      {listening.damage !== "" && <p className="warning-box">{words.damage}</p>}
      {listening.goes_on && <p className="muted">{words.goes_on}</p>}
      {listening.channels.length === 0 && <p className="muted">{words.nobody_heard}</p>}
      {/* A telephone call has no captions: what is said in it is written nowhere. */}
      {/* eslint-disable-next-line jsx-a11y/media-has-caption */}
      <audio
        ref={audio}
        src={url}
        preload="metadata"
        onTimeUpdate={moved}
        onSeeked={moved}
        onPlay={() => setPlaying(true)}
        onPause={() => setPlaying(false)}
        onEnded={() => setPlaying(false)}
        onError={failed}
      />
      <Waveform listening={listening} peaks={state.peaks} at={at} names={names} quietEars={quietEars} onSeek={seek} />
      <input
        type="range"
        className="position"
        aria-label={words.position}
        aria-valuetext={words.at_of(length(at), all)}
        min={0}
        max={Math.max(0.1, listening.seconds)}
        step={0.1}
        value={Math.min(at, listening.seconds)}
        onChange={(event) => seek(Number(event.target.value))}
        onKeyDown={(event) => {
          const by = { ArrowLeft: -STEP_SECONDS, ArrowDown: -STEP_SECONDS, ArrowRight: STEP_SECONDS, ArrowUp: STEP_SECONDS }[event.key];
          if (by === undefined) return;
          event.preventDefault();
          step(by);
        }}
      />
      <div className="player-bar">
        <Button kind="main" onPress={toggle} shortcut="k">
          {isPlaying ? words.pause : words.play}
        </Button>
        <Button onPress={() => step(-STEP_SECONDS)} shortcut="j">
          {words.back_5}
        </Button>
        <Button onPress={() => step(STEP_SECONDS)} shortcut="l">
          {words.ahead_5}
        </Button>
        <p className="number player-time">
          {length(at)} / {all} <span className="muted">{momentInFull(listening.sound_begun_at + at)}</span>
        </p>
      </div>
      <div className="player-bar">
        <Select
          name="ears"
          label={words.ears}
          value={ears}
          onChange={changeEars}
          options={[
            ...(names.length > 1 ? [{ value: "each", label: words.each_ear }] : []),
            { value: "all", label: words.everybody },
            ...(names.length > 1 ? names.map((name, index) => ({ value: String(index), label: words.only(name) })) : []),
          ]}
        />
        <Select
          name="speed"
          label={words.speed}
          value={speed}
          onChange={setSpeed}
          options={SPEEDS.map((value) => ({ value, label: `× ${new Intl.NumberFormat(document.documentElement.lang).format(Number(value))}` }))}
        />
        <Checkbox name="skip" label={words.skip_silence} isChecked={isSkipping} onChange={setSkipping} isDisabled={!state.finished} />
        {onClose !== undefined && <Button onPress={onClose}>{words.close_player}</Button>}
      </div>
      {!state.finished && state.failed === "" && problem === undefined && (
        <p className="hint">{words.making(length(state.seconds_made))}</p>
      )}
      <Moments listening={listening} names={names} onSeek={seek} />
    </div>
  );
}

/** What happened in the call, each with a way there; and what isn't to be heard. */
function Moments({
  listening,
  names,
  onSeek,
}: {
  readonly listening: Listening;
  readonly names: readonly string[];
  readonly onSeek: (second: number) => void;
}) {
  const words = useTexts(recordings);
  const silent = listening.channels.flatMap((channel, index) =>
    channel.silences.map(([from, to]) => ({ from, to, name: names[index] ?? "" })),
  );
  const unheard = Object.keys(listening.unheard).join(", ");
  const named = (what: string) => {
    const known = (words as Readonly<Record<string, unknown>>)[what];
    return typeof known === "string" ? known : what;
  };
  if (listening.parts.length + silent.length + listening.losses.length === 0 && unheard === "") return null;
  return (
    <div className="moments">
      <h3>{words.moments}</h3>
      <ul className="plain-list">
        {listening.parts.map((part, place) => (
          <li key={place}>
            <Moment second={part.second} onSeek={onSeek} /> {named(part.what)}
            {part.parties.length > 0 && ` : ${part.parties.map((party) => partyName(words, party)).join(", ")}`}
          </li>
        ))}
        {silent.map(({ from, to, name }) => (
          <li key={`${name}${from}`}>
            <Moment second={from} onSeek={onSeek} /> {name} : {words.nothing_came(length(from), length(to))}
          </li>
        ))}
        {listening.losses.map((loss, place) => (
          <li key={place}>
            <Moment second={loss.second} onSeek={onSeek} /> {words.loss(String(loss.packets), length(loss.second))}
          </li>
        ))}
        {unheard !== "" && <li>{words.unheard(unheard)}</li>}
      </ul>
    </div>
  );
}

function Moment({ second, onSeek }: { readonly second: number; readonly onSeek: (second: number) => void }) {
  const words = useTexts(recordings);
  return (
    <Button kind="quiet" label={words.go_to(length(second))} onPress={() => onSeek(second)}>
      {length(second)}
    </Button>
  );
}

/** Which channels each ear hears. "each": the first two apart, any other in both. */
function channelsOf(choice: string, count: number): { readonly left: readonly number[]; readonly right: readonly number[] } {
  const every = Array.from({ length: count }, (_, index) => index);
  if (choice === "all") return { left: every, right: every };
  if (choice === "each") return { left: every.filter((index) => index !== 1), right: every.filter((index) => index !== 0) };
  return { left: [Number(choice)], right: [Number(choice)] };
}

/** How far the sound is made, asked until all of it is. */
function useSoundState(listening: string): { readonly state: ListeningState; readonly problem: ServerProblem | undefined } {
  const [state, setState] = useState(NONE);
  const [problem, setProblem] = useState<ServerProblem>();
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isOver = false;
    let known = NONE;
    const ask = async () => {
      const path = `/recordings/listenings/${listening}?peaks_from=${known.peaks.length}`;
      try {
        const told = await api.get<ListeningState>(path);
        known = { ...told, peaks: [...known.peaks, ...told.peaks] };
      } catch (failure) {
        if (!isOver) setProblem(asProblem(failure));
        return;
      }
      if (isOver) return;
      setState(known);
      if (!known.finished && known.failed === "") timer = setTimeout(() => void ask(), ASK_MS);
    };
    void ask();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [listening]);
  return { state, problem };
}
