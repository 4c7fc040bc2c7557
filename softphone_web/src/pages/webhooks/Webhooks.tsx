/** Webhooks: who is told of what, with a test and the last deliveries of each. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Confirm, Dialog } from "../../components/Dialog";
import { notify } from "../../components/Notices";
import { Page } from "../../components/Page";
import { useSaying } from "../../components/Problem";
import { Secret } from "../../components/Secret";
import { Show } from "../../components/Show";
import { Table } from "../../components/Table";
import { amount } from "../../language/moments";
import { said } from "../../language/said";
import { useLanguage, useTexts } from "../../language/texts";
import { webhooks } from "../../language/webhooks";
import { api } from "../../server/api";
import { asProblem, useResource } from "../../server/resource";
import { Deliveries } from "./Deliveries";
import { WebhookForm } from "./WebhookForm";
import { inFrench } from "./troubles";
import { type Delivery, type Webhook, type WebhookMade, type Webhooks, kindName } from "./webhook";

type Doing = { readonly what: "log" | "remove"; readonly webhook: Webhook };

export default function WebhooksPage() {
  const words = useTexts(webhooks);
  const say = useSaying();
  const spoken = useLanguage();
  const found = useResource<Webhooks>("/webhooks");
  const [isAdding, setAdding] = useState(false);
  const [made, setMade] = useState<WebhookMade>();
  const [doing, setDoing] = useState<Doing>();
  const [testing, setTesting] = useState("");
  const test = async (webhook: Webhook) => {
    setTesting(webhook.id);
    try {
      const { status, trouble } = await api.post<Delivery>(`/webhooks/${webhook.id}/test`);
      if (trouble === "") notify(words.taken(String(status)));
      else notify(words.not_taken(said(trouble, inFrench)), "bad");
    } catch (failure) {
      notify(say(asProblem(failure)), "bad");
    } finally {
      setTesting("");
    }
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
      <Show resource={found}>
        {({ items, offered }) => (
          <>
            <Table
              label={words.title}
              rows={items}
              rowKey={(one) => one.id}
              hasFilter={items.length > 5}
              empty={words.empty}
              columns={[
                { key: "name", title: words.name, isMain: true, text: (one) => one.name, cell: (one) => one.name },
                {
                  key: "url",
                  title: words.url,
                  text: (one) => one.url,
                  cell: (one) => <span className="webhook-url">{one.url}</span>,
                },
                {
                  key: "kinds",
                  title: words.kinds,
                  cell: (one) =>
                    one.kinds.length > 3
                      ? words.kinds_count(amount(one.kinds.length))
                      : one.kinds.map((kind) => kindName(kind, spoken)).join(", "),
                },
                { key: "waiting", title: words.waiting, value: (one) => one.waiting, cell: (one) => amount(one.waiting), align: "end" },
                {
                  key: "actions",
                  title: words.actions,
                  cell: (one) => (
                    <div className="actions">
                      <Button label={words.test_one(one.name)} isBusy={testing === one.id} onPress={() => void test(one)}>
                        {words.test}
                      </Button>
                      <Button label={words.log_one(one.name)} onPress={() => setDoing({ what: "log", webhook: one })}>
                        {words.log}
                      </Button>
                      <Button label={words.remove_one(one.name)} onPress={() => setDoing({ what: "remove", webhook: one })}>
                        {words.remove}
                      </Button>
                    </div>
                  ),
                },
              ]}
            />
            {isAdding && (
              <WebhookForm
                offered={offered}
                onClose={() => setAdding(false)}
                onMade={(webhook) => {
                  setAdding(false);
                  setMade(webhook);
                  found.reload();
                }}
              />
            )}
          </>
        )}
      </Show>
      {made !== undefined && (
        <Dialog title={words.made(made.name)} onClose={() => setMade(undefined)}>
          <p>{words.made_lead}</p>
          <Secret label={words.secret} value={made.secret} />
        </Dialog>
      )}
      {doing?.what === "log" && <Deliveries webhook={doing.webhook} onClose={() => setDoing(undefined)} />}
      {doing?.what === "remove" && (
        <Confirm
          title={words.remove_title}
          confirm={words.remove}
          isDanger
          onClose={() => setDoing(undefined)}
          onConfirm={async () => {
            await api.delete(`/webhooks/${doing.webhook.id}`);
            notify(words.removed);
            found.reload();
          }}
        >
          <p>{words.remove_what(doing.webhook.name)}</p>
        </Confirm>
      )}
    </Page>
  );
}
