/** Send the other one of a call elsewhere: at once, or after having asked there. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Dialog } from "../../components/Dialog";
import { Field } from "../../components/Field";
import { shell } from "../../language/shell";
import { telephone as words_of } from "../../language/telephone";
import { useTexts } from "../../language/texts";
import type { PhoneCall } from "../../telephone/shapes";
import { telephone } from "../../telephone/telephone";
import { whoIs } from "../../telephone/wording";
import { dialable } from "./dialable";

export function TransferDialog({ call, onClose }: { readonly call: PhoneCall; readonly onClose: () => void }) {
  const words = useTexts(words_of);
  const names = useTexts(shell);
  const [number, setNumber] = useState("");
  const [isAsked, setAsked] = useState(false);
  const target = dialable(number);
  const go = (send: () => void) => {
    setAsked(true);
    if (target === "") return;
    send();
    onClose();
  };
  return (
    <Dialog title={words.transfer_title(whoIs(call, words))} onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          go(() => telephone.transfer(call.id, target));
        }}
      >
        <Field
          name="number"
          type="tel"
          label={words.transfer_to}
          hint={words.number_hint}
          value={number}
          onChange={setNumber}
          maxLength={60}
          isRequired
          {...(isAsked && target === "" ? { error: names.required } : {})}
        />
        <div className="actions">
          <Button type="submit" kind="main">
            {words.transfer_now}
          </Button>
          <Button onPress={() => go(() => void telephone.dial(target).catch(() => undefined))}>
            {words.transfer_ask}
          </Button>
          <Button kind="quiet" onPress={onClose}>
            {names.cancel}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
