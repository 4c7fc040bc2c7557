/** Passkeys, as the browser offers them: questions of the server in, answers for it out, all of it JSON. */
import { ServerProblem } from "./api";

type Json = Record<string, unknown>;

/** Whether this browser has passkeys, and reads and writes them as JSON. */
export function passkeysHere(): boolean {
  return "PublicKeyCredential" in window && "parseRequestOptionsFromJSON" in PublicKeyCredential;
}

/** Have a passkey sign what the server asks; the answer is for the server. */
export async function signWithPasskey(options: Json): Promise<unknown> {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(
    options as unknown as PublicKeyCredentialRequestOptionsJSON,
  );
  return told(() => navigator.credentials.get({ publicKey }));
}

/** Have the device make a passkey; the answer is for the server. */
export async function makePasskey(options: Json): Promise<unknown> {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(
    options as unknown as PublicKeyCredentialCreationOptionsJSON,
  );
  return told(() => navigator.credentials.create({ publicKey }));
}

async function told(ask: () => Promise<Credential | null>): Promise<unknown> {
  try {
    const made = await ask();
    if (made instanceof PublicKeyCredential) return made.toJSON();
  } catch (failure) {
    // The browser says little on purpose: somebody who closed its window, or no passkey that fits.
    const known = failure instanceof DOMException && failure.name === "InvalidStateError";
    throw new ServerProblem(0, known ? "passkey_taken" : "passkey_stopped", "");
  }
  throw new ServerProblem(0, "passkey_stopped", "");
}
