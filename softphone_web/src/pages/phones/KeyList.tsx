/** Keys in their order, each with what it does; changed by buttons or by Alt and an arrow. */
import { type KeyboardEvent, useEffect, useRef, useState } from "react";

import { Button } from "../../components/Button";
import { Badge } from "../../components/State";
import { phoneKeys } from "../../language/phone_keys";
import { useTexts } from "../../language/texts";
import { KeyDialog } from "./KeyDialog";
import { type Key, type Numbered, reached, shown } from "./key";
import "./phones.css";

/** Keys as they are, for whoever only looks. */
export function KeysShown({ keys }: { readonly keys: readonly Key[] }) {
  const words = useTexts(phoneKeys);
  if (keys.length === 0) return <p className="muted">{words.none}</p>;
  return (
    <ol className="phone-keys">
      {keys.map((key, index) => (
        <li key={index}>
          <Words place={index + 1} of={key} />
        </li>
      ))}
    </ol>
  );
}

/** Keys to change. numbers: of parking places, announcements and services that they may have. */
export function KeysEditor({
  keys,
  numbers,
  most,
  onChange,
}: {
  readonly keys: readonly Key[];
  readonly numbers: readonly Numbered[];
  readonly most: number;
  readonly onChange: (keys: readonly Key[]) => void;
}) {
  const words = useTexts(phoneKeys);
  const [editing, setEditing] = useState<number>();
  const [said, setSaid] = useState("");
  const list = useRef<HTMLOListElement>(null);
  const focus = useRef<{ readonly index: number; readonly act: string }>(undefined);
  useEffect(() => {
    const wanted = focus.current;
    if (wanted === undefined) return;
    focus.current = undefined;
    const row = list.current?.children[wanted.index];
    // At an end there is no way further: the focus goes to what is left in the row.
    const button = row?.querySelector<HTMLButtonElement>(`[data-act=${wanted.act}] button:enabled`);
    (button ?? row?.querySelector<HTMLButtonElement>("button:enabled"))?.focus();
  });
  const move = (from: number, to: number, act: string) => {
    const key = keys[from];
    if (key === undefined || to < 0 || to >= keys.length) return;
    focus.current = { index: to, act };
    setSaid(words.moved(shown(key), to + 1, keys.length));
    onChange(keys.toSpliced(from, 1).toSpliced(to, 0, key));
  };
  const takeOut = (at: number) => {
    const key = keys[at];
    if (key === undefined) return;
    focus.current = { index: Math.max(0, Math.min(at, keys.length - 2)), act: "out" };
    setSaid(words.taken_out(shown(key)));
    onChange(keys.toSpliced(at, 1));
  };
  const walk = (event: KeyboardEvent, at: number) => {
    if (!event.altKey || (event.key !== "ArrowUp" && event.key !== "ArrowDown")) return;
    event.preventDefault();
    move(at, at + (event.key === "ArrowUp" ? -1 : 1), event.key === "ArrowUp" ? "up" : "down");
  };
  return (
    <>
      {keys.length === 0 ? <p className="muted">{words.none}</p> : <p className="hint">{words.order_hint}</p>}
      <ol className="phone-keys" ref={list}>
        {keys.map((key, index) => (
          // The keys are those of its buttons: the row itself takes no focus.
          // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions
          <li key={`${key.kind} ${key.number} ${index}`} onKeyDown={(event) => walk(event, index)}>
            <Words place={index + 1} of={key} />
            <div className="actions">
              <span data-act="up">
                <Button label={words.up_one(index + 1, shown(key))} isDisabled={index === 0} onPress={() => move(index, index - 1, "up")}>
                  {words.up}
                </Button>
              </span>
              <span data-act="down">
                <Button
                  label={words.down_one(index + 1, shown(key))}
                  isDisabled={index === keys.length - 1}
                  onPress={() => move(index, index + 1, "down")}
                >
                  {words.down}
                </Button>
              </span>
              <span data-act="edit">
                <Button label={words.edit_one(index + 1, shown(key))} onPress={() => setEditing(index)}>
                  {words.edit}
                </Button>
              </span>
              <span data-act="out">
                <Button label={words.take_out_one(index + 1, shown(key))} onPress={() => takeOut(index)}>
                  {words.take_out}
                </Button>
              </span>
            </div>
          </li>
        ))}
      </ol>
      <p className="unseen" role="status">
        {said}
      </p>
      {keys.length < most && <Button onPress={() => setEditing(keys.length)}>{words.add}</Button>}
      {editing !== undefined && (
        <KeyDialog
          title={editing < keys.length ? words.one_key(editing + 1) : words.new_key}
          first={keys[editing]}
          numbers={numbers}
          onClose={() => setEditing(undefined)}
          onDone={(key) => {
            setEditing(undefined);
            onChange(keys.toSpliced(editing, 1, key));
          }}
        />
      )}
    </>
  );
}

function Words({ place, of }: { readonly place: number; readonly of: Key }) {
  const words = useTexts(phoneKeys);
  return (
    <div className="phone-key">
      <p>
        <span className="number" aria-hidden="true">
          {place}
        </span>{" "}
        <strong>{shown(of)}</strong> <Badge>{words[of.kind]}</Badge> <span className="muted">{of.number}</span>
      </p>
      <p className="hint">{words[`does_${of.kind}`](reached(of))}</p>
    </div>
  );
}
