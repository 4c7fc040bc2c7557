/** Voicemail: one's own mailbox and those of services that one listens to, live. */
import { useState } from "react";

import { Page } from "../../components/Page";
import { Empty } from "../../components/Problem";
import { Show } from "../../components/Show";
import { Badge } from "../../components/State";
import { Tabs } from "../../components/Tabs";
import { useTexts } from "../../language/texts";
import { voicemail } from "../../language/voicemail";
import { useResource } from "../../server/resource";
import { Greetings } from "./Greetings";
import { Messages } from "./Messages";
import { MAILBOX_EVENTS, type Mailbox, type MailboxItem, pathOf } from "./shapes";
import "./voicemail.css";

export default function Voicemail() {
  const words = useTexts(voicemail);
  const mailboxes = useResource<{ readonly items: readonly MailboxItem[] }>("/voicemail/mailboxes", {
    events: MAILBOX_EVENTS,
  });
  const [selected, setSelected] = useState<string>();
  return (
    <Page title={words.title}>
      <Show resource={mailboxes}>
        {({ items }) => {
          const [first] = items;
          if (first === undefined) return <Empty>{words.none}</Empty>;
          if (items.length === 1) return <Content item={first} />;
          return (
            <Tabs
              label={words.mailboxes}
              selected={selected ?? first.mailbox}
              onSelect={setSelected}
              tabs={items.map((item) => ({
                key: item.mailbox,
                title: (
                  <>
                    {item.is_own ? words.own : item.name} {item.new > 0 && <Badge>{words.new_count(item.new)}</Badge>}
                  </>
                ),
                content: <Content item={item} />,
              }))}
            />
          );
        }}
      </Show>
    </Page>
  );
}

function Content({ item }: { readonly item: MailboxItem }) {
  const words = useTexts(voicemail);
  const mailbox = useResource<Mailbox>(pathOf(item.mailbox), { events: MAILBOX_EVENTS });
  return (
    <Show resource={mailbox}>
      {(known) => (
        <>
          {known.new > 0 && <p role="status">{words.new_count(known.new)}</p>}
          <Messages mailbox={known} onChange={mailbox.reload} />
          <Greetings mailbox={known} onChange={mailbox.reload} />
        </>
      )}
    </Show>
  );
}
