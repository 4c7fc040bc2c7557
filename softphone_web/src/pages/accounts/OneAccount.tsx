/** One account: what it may do, and what an administrator can do about it. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Confirm } from "../../components/Dialog";
import { Facts } from "../../components/Facts";
import { Link } from "../../components/Link";
import { notify } from "../../components/Notices";
import { Page, Section } from "../../components/Page";
import { Problem } from "../../components/Problem";
import { Show } from "../../components/Show";
import { Time } from "../../components/Time";
import { accounts } from "../../language/accounts";
import { shell } from "../../language/shell";
import { useTexts } from "../../language/texts";
import type { PageProps } from "../../pages";
import { api } from "../../server/api";
import { useAction, useResource } from "../../server/resource";
import { useMay, useSession } from "../../server/session";
import { navigate } from "../../shell/place";
import { AccountForm } from "./AccountForm";
import { LinkDialog } from "./Accounts";
import { AccountState, SecondStep } from "./Shown";
import type { Account, PasswordLink } from "./account";

export default function OneAccount({ params }: PageProps) {
  const words = useTexts(accounts);
  const path = `/accounts/${encodeURIComponent(params["account"] ?? "")}`;
  const resource = useResource<Account>(path);
  return (
    <Page title={resource.data?.name ?? params["account"] ?? ""}>
      <p>
        <Link to="/accounts">{words.all}</Link>
      </p>
      <Show resource={resource}>
        {(one) => <Content one={one} path={path} onChanged={resource.reload} />}
      </Show>
    </Page>
  );
}

interface ContentProps {
  readonly one: Account;
  readonly path: string;
  readonly onChanged: () => void;
}

function Content({ one, path, onChanged }: ContentProps) {
  const words = useTexts(accounts);
  const names = useTexts(shell);
  const mayChange = useMay("accounts.change");
  const [isEditing, setEditing] = useState(false);
  const isOwn = useSession().account === one.account;
  if (isEditing) {
    return (
      <Section title={words.edit}>
        {isOwn && <p className="hint">{words.own}</p>}
        <AccountForm
          account={one}
          submit={names.save}
          onCancel={() => setEditing(false)}
          onSubmit={async ({ name, extension, roles, language }) => {
            await api.patch(path, { name, extension, roles, language });
            setEditing(false);
            notify(words.changed);
            onChanged();
          }}
        />
      </Section>
    );
  }
  return (
    <>
      <Section
        title={words.one}
        actions={mayChange && <Button onPress={() => setEditing(true)}>{words.edit}</Button>}
      >
        <Facts
          facts={[
            [words.state, <AccountState key="state" account={one} />],
            [words.account, one.account],
            [words.extension, one.extension || "–"],
            [words.roles, one.roles.map((role) => words[role]).join(", ")],
            [words.factor, <SecondStep key="factor" account={one} />],
            [words.language, one.language === "fr" ? words.french : words.english],
            [words.created, <Time key="created" at={one.created_at} />],
            [words.last, one.last_sign_in_at === null ? words.never : <Time key="last" at={one.last_sign_in_at} />],
          ]}
        />
      </Section>
      {mayChange && <Access one={one} path={path} isOwn={isOwn} onChanged={onChanged} />}
    </>
  );
}

function Access({ one, path, isOwn, onChanged }: ContentProps & { readonly isOwn: boolean }) {
  const words = useTexts(accounts);
  const action = useAction();
  const [link, setLink] = useState("");
  const [asked, setAsked] = useState<"" | "reset" | "close" | "remove">("");
  const done = (text: string) => () => {
    notify(text);
    onChanged();
  };
  const makeLink = () =>
    void action.run(async () => setLink((await api.post<PasswordLink>(`${path}/password-link`)).link));
  const signOut = () => void action.run(() => api.delete(`${path}/sessions`).then(done(words.signed_out)));
  const reopen = () =>
    void action.run(() => api.patch(path, { disabled: false }).then(done(words.changed)));
  const hasFactor = one.factors.includes("totp") || one.factors.includes("passkey");
  return (
    <Section title={words.actions}>
      {action.problem !== undefined && <Problem problem={action.problem} />}
      <div className="actions">
        {one.source === "local" && <Button onPress={makeLink}>{words.password_link}</Button>}
        {hasFactor && <Button onPress={() => setAsked("reset")}>{words.reset}</Button>}
        <Button onPress={signOut}>{words.sign_out}</Button>
        {one.disabled && <Button onPress={reopen}>{words.reopen}</Button>}
        {!one.disabled && !isOwn && <Button onPress={() => setAsked("close")}>{words.close}</Button>}
        {!isOwn && <Button onPress={() => setAsked("remove")}>{words.remove}</Button>}
      </div>
      {one.source !== "local" && <p className="hint">{words.elsewhere}</p>}
      {one.has_password && <p className="hint">{words.password_what}</p>}
      {link !== "" && <LinkDialog name={one.name} link={link} onClose={() => setLink("")} />}
      {asked === "reset" && (
        <Confirm
          title={words.reset_title}
          confirm={words.reset}
          isDanger
          onConfirm={() => api.delete(`${path}/second-factor`).then(done(words.reset_done))}
          onClose={() => setAsked("")}
        >
          {words.reset_what(one.name)}
        </Confirm>
      )}
      {asked === "close" && (
        <Confirm
          title={words.close_title}
          confirm={words.close}
          isDanger
          onConfirm={() => api.patch(path, { disabled: true }).then(done(words.changed))}
          onClose={() => setAsked("")}
        >
          {words.close_what(one.name)}
        </Confirm>
      )}
      {asked === "remove" && (
        <Confirm
          title={words.remove_title}
          confirm={words.remove}
          isDanger
          onConfirm={() =>
            api.delete(path).then(() => {
              notify(words.removed);
              navigate("/accounts", { replace: true });
            })
          }
          onClose={() => setAsked("")}
        >
          {words.remove_what(one.name)}
        </Confirm>
      )}
    </Section>
  );
}
