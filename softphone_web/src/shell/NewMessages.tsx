/** How many new voice messages wait, beside the name of their place: one's own and those of services. */
import { Badge } from "../components/State";
import { useTexts } from "../language/texts";
import { voicemail } from "../language/voicemail";
import { useResource } from "../server/resource";

const EVENTS = ["MailboxChanged"];

export function NewMessages() {
  const words = useTexts(voicemail);
  const mailboxes = useResource<{ readonly items: readonly { readonly new: number }[] }>("/voicemail/mailboxes", {
    events: EVENTS,
  });
  const count = (mailboxes.data?.items ?? []).reduce((sum, mailbox) => sum + mailbox.new, 0);
  if (count === 0) return null;
  return (
    <Badge>
      <span aria-hidden="true">{count}</span>
      <span className="unseen">{words.new_count(count)}</span>
    </Badge>
  );
}
