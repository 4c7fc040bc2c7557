/** The accounts: who may open these pages. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Dialog } from "../../components/Dialog";
import { Link } from "../../components/Link";
import { Page } from "../../components/Page";
import { Secret } from "../../components/Secret";
import { Table } from "../../components/Table";
import { Time } from "../../components/Time";
import { accounts } from "../../language/accounts";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { useList } from "../../server/resource";
import { useMay } from "../../server/session";
import { AccountForm } from "./AccountForm";
import { AccountState, SecondStep } from "./Shown";
import type { Account, PasswordLink } from "./account";

interface Added {
  readonly account: Account;
  readonly password_link: PasswordLink;
}

export default function Accounts() {
  const words = useTexts(accounts);
  const list = useList<Account>("/accounts?limit=1000");
  const mayChange = useMay("accounts.change");
  const [isAdding, setAdding] = useState(false);
  const [added, setAdded] = useState<Added>();
  return (
    <Page
      title={words.title}
      lead={words.lead}
      actions={
        mayChange && (
          <Button kind="main" onPress={() => setAdding(true)}>
            {words.add}
          </Button>
        )
      }
    >
      <Table
        label={words.title}
        rows={list.items}
        rowKey={(one) => one.account}
        isLoading={list.isLoading}
        problem={list.problem}
        onRetry={list.reload}
        more={list.more}
        empty={words.empty}
        columns={[
          {
            key: "name",
            title: words.name,
            isMain: true,
            text: (one) => one.name,
            cell: (one) => <Link to={`/accounts/${encodeURIComponent(one.account)}`}>{one.name}</Link>,
          },
          { key: "account", title: words.account, text: (one) => one.account, cell: (one) => one.account },
          {
            key: "extension",
            title: words.extension,
            text: (one) => one.extension,
            cell: (one) => one.extension,
          },
          {
            key: "roles",
            title: words.roles,
            text: (one) => one.roles.map((role) => words[role]).join(", "),
            cell: (one) => one.roles.map((role) => words[role]).join(", "),
          },
          { key: "factor", title: words.factor, cell: (one) => <SecondStep account={one} /> },
          { key: "state", title: words.state, cell: (one) => <AccountState account={one} /> },
          {
            key: "last",
            title: words.last,
            value: (one) => one.last_sign_in_at ?? 0,
            cell: (one) => (one.last_sign_in_at === null ? words.never : <Time at={one.last_sign_in_at} />),
          },
        ]}
      />
      {isAdding && (
        <Dialog title={words.add} onClose={() => setAdding(false)}>
          <AccountForm
            submit={words.add}
            onCancel={() => setAdding(false)}
            onSubmit={async (answers) => {
              setAdded(await api.post<Added>("/accounts", answers));
              setAdding(false);
              list.reload();
            }}
          />
        </Dialog>
      )}
      {added !== undefined && (
        <LinkDialog
          name={added.account.name}
          link={added.password_link.link}
          onClose={() => setAdded(undefined)}
        />
      )}
    </Page>
  );
}

/** The link by which somebody chooses a password: shown once. */
export function LinkDialog({
  name,
  link,
  onClose,
}: {
  readonly name: string;
  readonly link: string;
  readonly onClose: () => void;
}) {
  const words = useTexts(accounts);
  return (
    <Dialog title={words.link_title(name)} onClose={onClose}>
      <p>{words.link_what}</p>
      <Secret label={words.link} value={link} />
    </Dialog>
  );
}
