/** What the server tells of mailboxes. */
export interface MailboxItem {
  readonly mailbox: string;
  readonly name: string;
  readonly is_own: boolean;
  readonly new: number;
  readonly old: number;
}

export interface Message {
  readonly message: string;
  readonly at: number;
  readonly number: string;
  readonly name: string;
  readonly seconds: number;
  readonly heard: boolean;
}

export interface Mailbox extends MailboxItem {
  readonly items: readonly Message[];
  readonly greetings: readonly string[];
}

/** The kinds of event after which mailboxes are read again. */
export const MAILBOX_EVENTS = ["MailboxChanged"];

/** Where a mailbox is asked for. */
export function pathOf(mailbox: string): string {
  return `/voicemail/mailboxes/${encodeURIComponent(mailbox)}`;
}
