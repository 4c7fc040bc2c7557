/** One's own note on a call: read when it is opened, kept when one says so. */
import { useState } from "react";

import { TextArea } from "../../components/Field";
import { type Answers, Form } from "../../components/Form";
import { notify } from "../../components/Notices";
import { Show } from "../../components/Show";
import { around } from "../../language/around";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { useResource } from "../../server/resource";

const MOST_CHARACTERS = 2000;

interface Kept {
  readonly text: string;
}

/** call: its id on the node, while it goes on or afterwards. */
export function NoteField({ call, onSaved }: { readonly call: string; readonly onSaved?: () => void }) {
  const words = useTexts(around);
  const path = `/history/${encodeURIComponent(call)}/note`;
  const kept = useResource<Kept>(path);
  const [saved, setSaved] = useState(0);
  const save = async (answers: Answers) => {
    await api.put(path, { text: (answers["text"] ?? "").trim() });
    notify(words.note_saved);
    setSaved((times) => times + 1);
    onSaved?.();
  };
  return (
    <Show resource={kept}>
      {(known) => (
        <Form key={saved} submit={words.note_save} onSubmit={save} isAlwaysFree>
          <TextArea
            name="text"
            label={words.note_text}
            hint={words.note_hint}
            rows={3}
            defaultValue={known.text}
            maxLength={MOST_CHARACTERS}
          />
        </Form>
      )}
    </Show>
  );
}
