/** Tokens: one's own, and for administrators everybody's. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Confirm, Dialog } from "../../components/Dialog";
import { notify } from "../../components/Notices";
import { Page, Section } from "../../components/Page";
import { Secret } from "../../components/Secret";
import { Table } from "../../components/Table";
import { State } from "../../components/State";
import { Time } from "../../components/Time";
import { day } from "../../language/moments";
import { useTexts } from "../../language/texts";
import { rights, tokens } from "../../language/tokens";
import { api } from "../../server/api";
import { type Listing, useList } from "../../server/resource";
import { useMay } from "../../server/session";
import { TokenForm } from "./TokenForm";
import type { Token, TokenMade } from "./token";

export default function Tokens() {
  const words = useTexts(tokens);
  const own = useList<Token>("/tokens");
  const mayRead = useMay("accounts.read");
  const mayChange = useMay("accounts.change");
  const all = useList<Token>(mayRead ? "/tokens/all" : undefined);
  const [isAdding, setAdding] = useState(false);
  const [made, setMade] = useState<TokenMade>();
  const [ending, setEnding] = useState<{ token: Token; path: string }>();
  const reload = () => {
    own.reload();
    all.reload();
  };
  return (
    <Page
      title={words.title}
      lead={words.lead}
      actions={
        <Button kind="main" onPress={() => setAdding(true)}>
          {words.add}
        </Button>
      }
    >
      <Section title={words.own}>
        <TokenTable list={own} empty={words.empty} onEnd={(token) => setEnding({ token, path: "/tokens" })} />
      </Section>
      {mayRead && (
        <Section title={words.all}>
          <TokenTable
            list={all}
            empty={words.empty_all}
            isOfAll
            onEnd={mayChange ? (token) => setEnding({ token, path: "/tokens/all" }) : undefined}
          />
        </Section>
      )}
      {isAdding && (
        <TokenForm
          onClose={() => setAdding(false)}
          onMade={(token) => {
            setAdding(false);
            setMade(token);
            reload();
          }}
        />
      )}
      {made !== undefined && (
        <Dialog title={words.made(made.name)} onClose={() => setMade(undefined)}>
          <p>{words.made_lead}</p>
          <Secret label={words.secret} value={made.token} />
        </Dialog>
      )}
      {ending !== undefined && (
        <Confirm
          title={words.end_title}
          confirm={words.end}
          isDanger
          onClose={() => setEnding(undefined)}
          onConfirm={async () => {
            await api.delete(`${ending.path}/${ending.token.id}`);
            notify(words.ended);
            reload();
          }}
        >
          <p>{words.end_what(ending.token.name)}</p>
        </Confirm>
      )}
    </Page>
  );
}

function TokenTable({
  list,
  empty,
  isOfAll = false,
  onEnd,
}: {
  readonly list: Listing<Token>;
  readonly empty: string;
  readonly isOfAll?: boolean;
  readonly onEnd: ((token: Token) => void) | undefined;
}) {
  const words = useTexts(tokens);
  const names = useTexts(rights);
  const [now] = useState(() => Date.now() / 1000);
  const named = (one: Token) => one.scopes.map((scope) => names[scope]).join(", ");
  return (
    <Table
      label={isOfAll ? words.all : words.own}
      rows={list.items}
      rowKey={(one) => one.id}
      isLoading={list.isLoading}
      problem={list.problem}
      onRetry={list.reload}
      hasFilter={list.items.length > 5}
      empty={empty}
      columns={[
        { key: "name", title: words.name, isMain: true, text: (one) => one.name, cell: (one) => one.name },
        ...(isOfAll
          ? [{ key: "account", title: words.account, text: (one: Token) => one.account, cell: (one: Token) => one.account }]
          : []),
        { key: "scopes", title: words.scopes, text: named, cell: named },
        {
          key: "networks",
          title: words.networks,
          text: (one) => one.networks.join(" "),
          cell: (one) => one.networks.join(", ") || words.anywhere,
        },
        {
          key: "until",
          title: words.until,
          value: (one) => one.ends_at,
          cell: (one) =>
            one.ends_at > now ? day(one.ends_at) : <State kind="off">{`${words.expired} (${day(one.ends_at)})`}</State>,
        },
        {
          key: "last",
          title: words.last,
          value: (one) => one.last_used_at ?? 0,
          cell: (one) => (one.last_used_at === null ? words.never : <Time at={one.last_used_at} />),
        },
        ...(onEnd === undefined
          ? []
          : [
              {
                key: "end",
                title: words.actions,
                cell: (one: Token) => (
                  <Button label={words.end_one(one.name)} onPress={() => onEnd(one)}>
                    {words.end}
                  </Button>
                ),
              },
            ]),
      ]}
    />
  );
}
