/** The messages of a mailbox: who called, played, called back, deleted. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Confirm } from "../../components/Dialog";
import { notify } from "../../components/Notices";
import { Section } from "../../components/Page";
import { PhoneNumber } from "../../components/PhoneNumber";
import { Problem } from "../../components/Problem";
import { State } from "../../components/State";
import { Table } from "../../components/Table";
import { Duration, Time } from "../../components/Time";
import { momentInFull, spokenNumber } from "../../language/moments";
import { useTexts } from "../../language/texts";
import { voicemail } from "../../language/voicemail";
import { type ServerProblem, address, api } from "../../server/api";
import { asProblem } from "../../server/resource";
import { type Mailbox, type Message, pathOf } from "./shapes";

interface Of {
  readonly mailbox: Mailbox;
  readonly onChange: () => void;
}

export function Messages(of: Of) {
  const words = useTexts(voicemail);
  return (
    <Section title={words.messages}>
      <MessageList {...of} />
    </Section>
  );
}

/** The messages without a heading of their own, for where another one stands above them. */
export function MessageList({ mailbox, onChange }: Of) {
  const words = useTexts(voicemail);
  const [playing, setPlaying] = useState<Message>();
  const [removing, setRemoving] = useState<Message>();
  const whoOf = (one: Message) => one.name || spokenNumber(one.number) || words.hidden;
  const path = pathOf(mailbox.mailbox);
  const remove = async (one: Message) => {
    await api.delete(`${path}/messages/${one.message}`);
    if (playing?.message === one.message) setPlaying(undefined);
    notify(words.removed);
    onChange();
  };
  return (
    <>
      {playing !== undefined && (
        <MessagePlayer
          key={playing.message}
          message={playing}
          who={whoOf(playing)}
          path={path}
          onHeard={onChange}
          onClose={() => setPlaying(undefined)}
        />
      )}
      <Table
        label={words.messages}
        rows={mailbox.items}
        rowKey={(one) => one.message}
        empty={words.no_messages}
        hasFilter={mailbox.items.length > 8}
        columns={[
          {
            key: "state",
            title: words.state,
            cell: (one) => <State kind={one.heard ? "off" : "ringing"}>{one.heard ? words.heard : words.is_new}</State>,
            value: (one) => Number(one.heard),
          },
          { key: "from", title: words.from, isMain: true, cell: (one) => <Caller message={one} />, text: whoOf },
          {
            key: "when",
            title: words.when,
            cell: (one) => <Time at={one.at} />,
            text: (one) => momentInFull(one.at),
            value: (one) => one.at,
          },
          {
            key: "seconds",
            title: words.lasts,
            align: "end",
            cell: (one) => <Duration seconds={one.seconds} />,
            value: (one) => one.seconds,
          },
          {
            key: "do",
            title: "",
            align: "end",
            cell: (one) => (
              <span className="message-actions">
                <Button label={words.listen_to(whoOf(one))} onPress={() => setPlaying(one)}>
                  {words.listen}
                </Button>
                <Button kind="quiet" label={words.remove_of(whoOf(one))} onPress={() => setRemoving(one)}>
                  {words.remove}
                </Button>
              </span>
            ),
          },
        ]}
      />
      {removing !== undefined && (
        <Confirm
          title={words.remove_title}
          confirm={words.remove}
          isDanger
          onConfirm={() => remove(removing)}
          onClose={() => setRemoving(undefined)}
        >
          <p>
            {whoOf(removing)}, {momentInFull(removing.at)}. {words.remove_text}
          </p>
        </Confirm>
      )}
    </>
  );
}

/** Who called; the number calls them back. */
function Caller({ message }: { readonly message: Message }) {
  const words = useTexts(voicemail);
  if (message.number === "") return <>{message.name || words.hidden}</>;
  return (
    <>
      {message.name !== "" && message.name !== message.number && `${message.name} `}
      <PhoneNumber number={message.number} name={message.name} />
    </>
  );
}

function MessagePlayer({
  message,
  who,
  path,
  onHeard,
  onClose,
}: {
  readonly message: Message;
  readonly who: string;
  readonly path: string;
  readonly onHeard: () => void;
  readonly onClose: () => void;
}) {
  const words = useTexts(voicemail);
  const [problem, setProblem] = useState<ServerProblem>();
  const of = `${path}/messages/${message.message}`;
  const heard = () => {
    if (message.heard) return;
    api.post(`${of}/heard`).then(onHeard, (failure: unknown) => setProblem(asProblem(failure)));
  };
  return (
    <div className="message-player" role="group" aria-label={words.player(who)}>
      {problem !== undefined && <Problem problem={problem} />}
      <p>
        {words.player(who)}, <Time at={message.at} />
      </p>
      {/* What somebody said into a mailbox is written nowhere; who opened it asked to hear it. */}
      {/* eslint-disable-next-line jsx-a11y/media-has-caption */}
      <audio
        controls
        autoPlay
        src={address(`${of}/sound`)}
        aria-label={words.player(who)}
        onPlay={heard}
        onError={() => setProblem(asProblem(new Error(words.player(who))))}
      />
      <Button onPress={onClose}>{words.stop}</Button>
    </div>
  );
}
