/** What callers of a mailbox hear, by situation: played, sent as a file, taken away. */
import { useRef, useState } from "react";

import { Button } from "../../components/Button";
import { notify } from "../../components/Notices";
import { Section } from "../../components/Page";
import { Problem } from "../../components/Problem";
import { State } from "../../components/State";
import { Table } from "../../components/Table";
import { useTexts } from "../../language/texts";
import { voicemail } from "../../language/voicemail";
import { address, api } from "../../server/api";
import { useAction } from "../../server/resource";
import { type Mailbox, pathOf } from "./shapes";

const SITUATIONS = ["any", "busy", "no-answer", "unreachable", "closed"] as const;

export function Greetings({ mailbox, onChange }: { readonly mailbox: Mailbox; readonly onChange: () => void }) {
  const words = useTexts(voicemail);
  const action = useAction();
  const file = useRef<HTMLInputElement>(null);
  const [asked, setAsked] = useState<string>("any");
  const [played, setPlayed] = useState<string>();
  const [version, setVersion] = useState(0); // a new greeting has the address of the one before
  const path = `${pathOf(mailbox.mailbox)}/greetings`;
  const names = {
    any: words.any,
    busy: words.busy,
    "no-answer": words.no_answer,
    unreachable: words.unreachable,
    closed: words.closed,
  };
  const change = async (work: () => Promise<unknown>, done: string) => {
    if (!(await action.run(work))) return;
    setPlayed(undefined);
    setVersion((before) => before + 1);
    notify(done);
    onChange();
  };
  const choose = (situation: string) => {
    setAsked(situation);
    file.current?.click();
  };
  const send = (chosen: File | undefined) => {
    if (chosen === undefined) return;
    const sound = new Blob([chosen], { type: "audio/wav" });
    void change(() => api.put(`${path}/${asked}`, sound), words.sent);
  };
  return (
    <Section title={words.greetings}>
      <p className="muted">{words.greetings_lead}</p>
      {action.problem !== undefined && <Problem problem={action.problem} />}
      <input
        ref={file}
        type="file"
        accept=".wav,audio/wav"
        hidden
        aria-label={words.file}
        onChange={(event) => {
          send(event.target.files?.[0]);
          event.target.value = "";
        }}
      />
      <Table
        label={words.greetings}
        rows={SITUATIONS}
        rowKey={(one) => one}
        empty=""
        hasFilter={false}
        columns={[
          { key: "situation", title: words.situation, isMain: true, cell: (one) => names[one] },
          {
            key: "state",
            title: words.state,
            cell: (one) =>
              mailbox.greetings.includes(one) ? (
                <State kind="good">{words.recorded}</State>
              ) : (
                <State kind="off">{words.by_voice}</State>
              ),
          },
          {
            key: "do",
            title: "",
            align: "end",
            cell: (one) => (
              <span className="message-actions">
                {mailbox.greetings.includes(one) && (
                  <>
                    <Button label={words.play_greeting(names[one])} onPress={() => setPlayed(one)}>
                      {words.listen}
                    </Button>
                    <Button
                      kind="quiet"
                      label={words.drop_greeting(names[one])}
                      onPress={() => void change(() => api.delete(`${path}/${one}`), words.dropped)}
                    >
                      {words.drop}
                    </Button>
                  </>
                )}
                <Button label={words.send_greeting(names[one])} isBusy={action.isBusy && asked === one} onPress={() => choose(one)}>
                  {words.send}
                </Button>
              </span>
            ),
          },
        ]}
      />
      <p className="hint">{words.file}</p>
      {played !== undefined && (
        <div className="message-player">
          {/* A greeting is what its owner said; it is written nowhere. */}
          {/* eslint-disable-next-line jsx-a11y/media-has-caption */}
          <audio
            controls
            autoPlay
            key={played}
            src={address(`${path}/${played}`, { version })}
            aria-label={words.play_greeting(names[played as keyof typeof names])}
          />
          <Button onPress={() => setPlayed(undefined)}>{words.stop}</Button>
        </div>
      )}
    </Section>
  );
}
