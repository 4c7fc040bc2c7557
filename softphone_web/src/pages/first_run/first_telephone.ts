/** What the first telephone signs in with: told once by the server, and kept in this page alone. */

export interface FirstTelephone {
  readonly server: string;
  readonly sign_in: string;
  readonly password: string;
  readonly echo: string;
  readonly picture: string;
}

let told: FirstTelephone | undefined;

export function keep(telephone: FirstTelephone): void {
  told = telephone;
}

export function firstTelephone(): FirstTelephone | undefined {
  return told;
}
