/** The services of the plan: at which number, open or closed, who answers; closed for a while by who may. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Dialog } from "../../components/Dialog";
import { Field } from "../../components/Field";
import { type Answers, Form } from "../../components/Form";
import { notify } from "../../components/Notices";
import { Page } from "../../components/Page";
import { PhoneNumber } from "../../components/PhoneNumber";
import { useSaying } from "../../components/Problem";
import { State } from "../../components/State";
import { Table } from "../../components/Table";
import { directory } from "../../language/directory";
import { moment, spokenNumber } from "../../language/moments";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { asProblem, useList } from "../../server/resource";
import { useMay } from "../../server/session";

interface Service {
  readonly name: string;
  readonly type: string;
  readonly number: string;
  readonly public_number: string;
  readonly schedule: string;
  readonly open_now: boolean;
  readonly until_at: number;
  readonly by_hand: string;
  readonly sent_to: string;
  readonly answered_by: readonly string[];
}

export default function Services() {
  const words = useTexts(directory);
  const mayClose = useMay("services.change");
  const say = useSaying();
  const list = useList<Service>("/services", { events: ["OverrideChanged"] });
  const [closing, setClosing] = useState<Service>();
  const typeOf = (service: Service) =>
    (words as Readonly<Record<string, unknown>>)[`type_${service.type}`] as string | undefined;
  const asPlanned = (service: Service) => {
    api.delete(`/overrides/${encodeURIComponent(service.name)}`).then(
      () => {
        notify(words.planned_now(service.name));
        list.reload();
      },
      (failure: unknown) => notify(say(asProblem(failure)), "bad"),
    );
  };
  return (
    <Page title={words.services} lead={words.services_lead}>
      <Table<Service>
        label={words.services}
        rows={list.items}
        rowKey={(service) => service.name}
        isLoading={list.isLoading}
        problem={list.problem}
        onRetry={list.reload}
        empty={words.no_service}
        columns={[
          {
            key: "name",
            title: words.name,
            isMain: true,
            cell: (service) => service.name,
            text: (service) => service.name,
          },
          {
            key: "type",
            title: words.type,
            cell: (service) => typeOf(service) ?? service.type,
            text: (service) => typeOf(service) ?? service.type,
          },
          {
            key: "number",
            title: words.number,
            cell: (service) => service.number !== "" && <PhoneNumber number={service.number} name={service.name} />,
            text: (service) => service.number,
          },
          {
            key: "public",
            title: words.public_number,
            cell: (service) =>
              service.public_number !== "" && <PhoneNumber number={service.public_number} name={service.name} />,
            text: (service) => service.public_number,
          },
          {
            key: "state",
            title: words.state,
            cell: (service) => <Opening service={service} />,
            text: (service) => (service.open_now ? words.open : words.closed),
          },
          {
            key: "who",
            title: words.answered_by,
            cell: (service) => service.answered_by.map(spokenNumber).join(", "),
            text: (service) => service.answered_by.join(" "),
          },
          ...(mayClose
            ? [
                {
                  key: "do",
                  title: "",
                  cell: (service: Service) =>
                    service.by_hand === "" ? (
                      <Button label={words.close_title(service.name)} onPress={() => setClosing(service)}>
                        {words.close_now}
                      </Button>
                    ) : (
                      <Button onPress={() => asPlanned(service)}>{words.as_planned}</Button>
                    ),
                },
              ]
            : []),
        ]}
      />
      {closing !== undefined && (
        <Closing
          service={closing}
          onClose={() => setClosing(undefined)}
          onDone={() => {
            setClosing(undefined);
            list.reload();
          }}
        />
      )}
    </Page>
  );
}

function Opening({ service }: { readonly service: Service }) {
  const words = useTexts(directory);
  const until = service.until_at > 0 ? words.until(moment(service.until_at)) : "";
  const about = [until, service.by_hand === "" ? "" : words.by_hand(service.by_hand)].filter(Boolean).join(" ");
  return (
    <>
      {service.open_now ? (
        <State kind="good">{service.schedule === "" && until === "" ? words.always : words.open}</State>
      ) : (
        <State kind="off">{words.closed}</State>
      )}
      {about !== "" && <div className="muted">{about}</div>}
      {service.sent_to !== "" && <div className="muted">{words.sent_to(spokenNumber(service.sent_to))}</div>}
    </>
  );
}

function Closing({
  service,
  onClose,
  onDone,
}: {
  readonly service: Service;
  readonly onClose: () => void;
  readonly onDone: () => void;
}) {
  const words = useTexts(directory);
  const close = async (answers: Answers) => {
    const until_at = new Date(answers["until_at"] ?? "").getTime() / 1000;
    const to = (answers["to"] ?? "").trim();
    await api.put(`/overrides/${encodeURIComponent(service.name)}`, { is_open: false, until_at, to });
    notify(words.closed_now(service.name));
    onDone();
  };
  return (
    <Dialog title={words.close_title(service.name)} onClose={onClose}>
      <Form submit={words.close_it} onSubmit={close} onCancel={onClose} isAlwaysFree>
        <Field
          name="until_at"
          type="datetime-local"
          label={words.close_until}
          defaultValue={inTwoHours()}
          isRequired
        />
        <Field name="to" label={words.close_to} hint={words.close_to_hint} isRequired={false} maxLength={60} />
      </Form>
    </Dialog>
  );
}

/** As the browser's field writes it. */
function inTwoHours(): string {
  const then = new Date(Date.now() + 2 * 3_600_000);
  return new Date(then.getTime() - then.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
