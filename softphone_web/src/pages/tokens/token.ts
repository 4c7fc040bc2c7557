/** A token as the server tells it. */
import type { Right } from "../../server/session";

export interface Token {
  readonly id: string;
  readonly account: string;
  readonly name: string;
  readonly scopes: readonly Right[];
  readonly networks: readonly string[];
  readonly created_at: number;
  readonly ends_at: number;
  readonly last_used_at: number | null;
}

export interface TokenMade extends Token {
  readonly token: string;
}
