/** A link that lets somebody choose their password. */
import { useState } from "react";

import { Link } from "../../components/Link";
import { Page } from "../../components/Page";
import { Empty } from "../../components/Problem";
import { signin } from "../../language/signin";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { NewPasswordForm } from "./NewPasswordForm";
import { secretOfLink } from "./secret";

export default function NewPassword() {
  const words = useTexts(signin);
  const [secret] = useState(secretOfLink);
  const [account, setAccount] = useState("");
  if (account !== "") {
    return (
      <Page key="done" title={words.link_done} lead={words.link_done_lead(account)}>
        <Link to="/" className="button main">
          {words.to_sign_in}
        </Link>
      </Page>
    );
  }
  const choose = async (password: string) => {
    const answer = await api.post<{ account: string }>("/account/password-link", { secret, password });
    setAccount(answer.account);
  };
  return (
    <Page key="form" title={words.link_title} lead={words.link_lead}>
      {secret === "" ? <Empty>{words.link_missing}</Empty> : <NewPasswordForm onChosen={choose} />}
    </Page>
  );
}
