/** A number to call: typed, pasted, or pressed on the pad. The plan decides what it leads to. */
import { useRef, useState } from "react";

import { Button } from "../../components/Button";
import { Field } from "../../components/Field";
import { notify } from "../../components/Notices";
import { Section } from "../../components/Page";
import { useSaying } from "../../components/Problem";
import { shell } from "../../language/shell";
import { telephone as words_of } from "../../language/telephone";
import { useTexts } from "../../language/texts";
import { asProblem } from "../../server/resource";
import { useTelephone } from "../../telephone/store";
import { telephone } from "../../telephone/telephone";
import { dialable } from "./dialable";
import { Keypad } from "./Keypad";

export function DialPad() {
  const words = useTexts(words_of);
  const names = useTexts(shell);
  const say = useSaying();
  const { features, state } = useTelephone();
  const [number, setNumber] = useState("");
  const form = useRef<HTMLFormElement>(null);
  const call = (video: boolean) => {
    const target = dialable(number);
    if (target === "") {
      form.current?.querySelector("input")?.focus();
      return;
    }
    telephone.dial(target, { video }).then(
      (by) => {
        setNumber("");
        if (by === "rings") notify(names.calling(target));
      },
      (failure: unknown) => notify(say(asProblem(failure)), "bad"),
    );
  };
  return (
    <Section title={words.pad}>
      <form
        ref={form}
        className="dial"
        onSubmit={(event) => {
          event.preventDefault();
          call(false);
        }}
      >
        <Field
          name="number"
          type="tel"
          label={words.number}
          hint={words.number_hint}
          value={number}
          onChange={setNumber}
          maxLength={60}
        />
        <Keypad onKey={(key) => setNumber((before) => before + key)} />
        <div className="actions">
          <Button type="submit" kind="main" isDisabled={state === "refused"}>
            {words.call}
          </Button>
          {features.video && <Button onPress={() => call(true)}>{words.call_video}</Button>}
          {number !== "" && (
            <Button kind="quiet" label={words.erase} onPress={() => setNumber(number.slice(0, -1))}>
              ⌫
            </Button>
          )}
        </div>
      </form>
    </Section>
  );
}
