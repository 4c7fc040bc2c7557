/** Webhooks and their deliveries as the server tells them. */
import { kinds } from "../../language/webhooks";
import type { Language } from "../../language/texts";

export interface Webhook {
  readonly id: string;
  readonly name: string;
  readonly url: string;
  readonly kinds: readonly string[];
  readonly private_address: boolean;
  readonly waiting: number;
}

export interface WebhookMade extends Webhook {
  readonly secret: string;
}

export interface Webhooks {
  readonly items: readonly Webhook[];
  readonly offered: readonly string[];
}

export interface Delivery {
  readonly id: string;
  readonly kind: string;
  readonly made_at: number;
  readonly next_at: number | null;
  readonly tries: number;
  readonly status: number;
  readonly trouble: string;
}

/** What a kind of event is called; its own name where it has none here. */
export function kindName(kind: string, language: Language): string {
  return (kinds[language] as Readonly<Record<string, string>>)[kind] ?? kind;
}
