/** What is shown of an account in the list and on its page: its state, its second step. */
import { State } from "../../components/State";
import { accounts } from "../../language/accounts";
import { useTexts } from "../../language/texts";
import { type Account, needsFactor } from "./account";

export function AccountState({ account }: { readonly account: Account }) {
  const words = useTexts(accounts);
  if (account.disabled) return <State kind="off">{words.closed}</State>;
  const isInvited = account.source === "local" && !account.has_password;
  return isInvited ? <State kind="busy">{words.invited}</State> : <State kind="good">{words.open}</State>;
}

export function SecondStep({ account }: { readonly account: Account }) {
  const words = useTexts(accounts);
  const set = [
    ...(account.factors.includes("totp") ? [words.application] : []),
    ...(account.factors.includes("passkey") ? [words.passkey] : []),
  ];
  if (set.length > 0) return <>{set.join(", ")}</>;
  return needsFactor(account) ? <State kind="warning">{words.missing}</State> : <>{words.none}</>;
}
