/** One's own voicemail beside the telephone: how many new messages, each to be heard, called back, deleted. */
import { Link } from "../../components/Link";
import { Section } from "../../components/Page";
import { Show } from "../../components/Show";
import { around } from "../../language/around";
import { useTexts } from "../../language/texts";
import { useResource } from "../../server/resource";
import { useSession } from "../../server/session";
import { MessageList } from "../voicemail/Messages";
import { MAILBOX_EVENTS, type Mailbox, pathOf } from "../voicemail/shapes";
import "../voicemail/voicemail.css";

export function VoicemailPanel() {
  const words = useTexts(around);
  const { extension } = useSession();
  const mailbox = useResource<Mailbox>(pathOf(extension), { events: MAILBOX_EVENTS });
  return (
    <Section title={words.voicemail} actions={<Link to="/voicemail">{words.voicemail_all}</Link>}>
      <Show resource={mailbox}>
        {(known) => (
          <>
            <p role="status">{known.new > 0 && words.voicemail_new(known.new)}</p>
            {known.items.length === 0 ? (
              <p className="muted">{words.voicemail_none}</p>
            ) : (
              <MessageList mailbox={known} onChange={mailbox.reload} />
            )}
          </>
        )}
      </Show>
    </Section>
  );
}
