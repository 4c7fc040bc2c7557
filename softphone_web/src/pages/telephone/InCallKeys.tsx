/** Keys pressed in a call, for the menu at the other end: pressed on the pad, or typed into its field. */
import { useId, useState } from "react";

import { telephone as words_of } from "../../language/telephone";
import { useTexts } from "../../language/texts";
import type { PhoneCall } from "../../telephone/shapes";
import { telephone } from "../../telephone/telephone";
import { Keypad } from "./Keypad";

export function InCallKeys({ call }: { readonly call: PhoneCall }) {
  const words = useTexts(words_of);
  const id = useId();
  const [pressed, setPressed] = useState("");
  const press = (keys: string) => {
    const known = keys.replace(/[^0-9*#]/g, "");
    if (known === "") return;
    telephone.digits(call.id, known);
    setPressed(pressed + known);
  };
  return (
    <div className="in-call-keys">
      <div className="field">
        <label htmlFor={id}>{words.keys_field}</label>
        <input
          id={id}
          value={pressed}
          autoComplete="off"
          inputMode="tel"
          aria-describedby={`${id}hint`}
          // Whoever has opened it is about to type.
          ref={(field) => field?.focus()}
          onChange={(event) => {
            if (event.target.value.startsWith(pressed)) press(event.target.value.slice(pressed.length));
          }}
        />
        <p id={`${id}hint`} className="hint">
          {words.keys_hint}
        </p>
      </div>
      <Keypad onKey={press} isSounding={false} />
    </div>
  );
}
