/** A telephone that is lost, found again, or gone: blocked at once, taken again, removed. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Confirm } from "../../components/Dialog";
import { notify } from "../../components/Notices";
import { Section } from "../../components/Page";
import { useSaying } from "../../components/Problem";
import { phones } from "../../language/phones";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { navigate } from "../../shell/place";
import { asProblem } from "../../server/resource";
import { type Phone, called } from "./phone";

export function Lost({ phone, onChanged }: { readonly phone: Phone; readonly onChanged: () => void }) {
  const words = useTexts(phones);
  const say = useSaying();
  const [asking, setAsking] = useState<"" | "block" | "remove">("");
  const path = `/phones/${phone.name}`;
  const unblock = async () => {
    try {
      await api.post(`${path}/unblock`);
      notify(words.unblocked);
      onChanged();
    } catch (failure) {
      notify(say(asProblem(failure)), "bad");
    }
  };
  return (
    <Section title={words.part_lost}>
      <p>{words.lost_lead}</p>
      <div className="actions">
        {phone.stage === "blocked" ? (
          <Button onPress={() => void unblock()}>{words.unblock}</Button>
        ) : (
          <Button kind="danger" onPress={() => setAsking("block")}>
            {words.block}
          </Button>
        )}
        <Button onPress={() => setAsking("remove")}>{words.remove}</Button>
      </div>
      {asking === "block" && (
        <Confirm
          title={words.block_title}
          confirm={words.block}
          isDanger
          onClose={() => setAsking("")}
          onConfirm={async () => {
            await api.post(`${path}/block`);
            notify(words.blocked);
            onChanged();
          }}
        >
          <ul>
            <li>{words.block_calls}</li>
            <li>{words.block_passwords}</li>
            <li>{words.block_settings}</li>
            <li>{words.block_person}</li>
            <li>{words.block_audit}</li>
          </ul>
        </Confirm>
      )}
      {asking === "remove" && (
        <Confirm
          title={words.remove_title}
          confirm={words.remove}
          isDanger
          onClose={() => setAsking("")}
          onConfirm={async () => {
            await api.delete(path);
            notify(words.removed);
            navigate("/phones", { replace: true });
          }}
        >
          <p>{words.remove_what(called(phone))}</p>
        </Confirm>
      )}
    </Section>
  );
}
