/** One's own account, as the server tells it. */
export interface OwnPasskey {
  readonly id: string;
  readonly name: string;
  readonly created_at: number;
  readonly last_used_at: number | null;
}

export interface OwnSession {
  readonly id: string;
  readonly begun_at: number;
  readonly seen_at: number;
  readonly address: string;
  readonly device: string;
  readonly current: boolean;
}

export interface OwnAccount {
  readonly account: string;
  readonly name: string;
  readonly extension: string;
  readonly source: "local" | "openid" | "ldap";
  readonly has_password: boolean;
  readonly has_application: boolean;
  readonly needs_second_factor: boolean;
  readonly recovery_codes: number;
  readonly passkeys: readonly OwnPasskey[];
  readonly sessions: readonly OwnSession[];
}
