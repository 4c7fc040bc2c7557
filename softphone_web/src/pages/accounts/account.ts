/** An account, as the server tells an administrator. */
export const ROLES = ["agent", "operator", "supervisor", "listener", "administrator", "auditor"] as const;
export type Role = (typeof ROLES)[number];

export interface Account {
  readonly account: string;
  readonly name: string;
  readonly extension: string;
  readonly roles: readonly Role[];
  readonly language: "fr" | "en";
  readonly source: "local" | "openid" | "ldap";
  readonly disabled: boolean;
  readonly has_password: boolean;
  readonly factors: readonly ("totp" | "passkey" | "recovery")[];
  readonly created_at: number;
  readonly last_sign_in_at: number | null;
}

export interface PasswordLink {
  readonly link: string;
  readonly ends_at: number;
}

/** The roles that open nothing without a second factor. */
export function needsFactor(account: Account): boolean {
  return account.roles.some((role) => role === "administrator" || role === "listener");
}
