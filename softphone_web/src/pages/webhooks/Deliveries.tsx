/** The last deliveries of a webhook: what was sent, and what became of it. */
import { Dialog } from "../../components/Dialog";
import { Said } from "../../components/Said";
import { State } from "../../components/State";
import { Table } from "../../components/Table";
import { Time } from "../../components/Time";
import { amount } from "../../language/moments";
import { useLanguage, useTexts } from "../../language/texts";
import { webhooks } from "../../language/webhooks";
import { useList } from "../../server/resource";
import { inFrench } from "./troubles";
import { type Delivery, type Webhook, kindName } from "./webhook";

export function Deliveries({ webhook, onClose }: { readonly webhook: Webhook; readonly onClose: () => void }) {
  const words = useTexts(webhooks);
  const spoken = useLanguage();
  const list = useList<Delivery>(`/webhooks/${webhook.id}/deliveries`);
  return (
    <Dialog title={words.log_one(webhook.name)} onClose={onClose}>
      <Table
        label={words.log}
        rows={list.items}
        rowKey={(one) => one.id}
        isLoading={list.isLoading}
        problem={list.problem}
        onRetry={list.reload}
        hasFilter={false}
        empty={words.log_empty}
        columns={[
          { key: "kind", title: words.kind, isMain: true, cell: (one) => kindName(one.kind, spoken) },
          { key: "at", title: words.at, cell: (one) => <Time at={one.made_at} /> },
          { key: "result", title: words.result, cell: (one) => <Result delivery={one} /> },
          { key: "tries", title: words.tries, align: "end", cell: (one) => amount(one.tries) },
        ]}
      />
    </Dialog>
  );
}

function Result({ delivery }: { readonly delivery: Delivery }) {
  const words = useTexts(webhooks);
  if (delivery.trouble === "" && delivery.next_at === null) return <State kind="good">{words.sent}</State>;
  const why = (
    <span className="muted">
      <Said text={delivery.trouble} inFrench={inFrench} />
    </span>
  );
  if (delivery.next_at === null)
    return (
      <>
        <State kind="bad">{words.given_up}</State> {why}
      </>
    );
  return (
    <>
      <State kind="warning">
        {words.again} <Time at={delivery.next_at} />
      </State>{" "}
      {why}
    </>
  );
}
