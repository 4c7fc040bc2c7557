/** Where one is signed in, and signing out there. */
import { Button } from "../../components/Button";
import { notify } from "../../components/Notices";
import { Section } from "../../components/Page";
import { Problem } from "../../components/Problem";
import { Badge } from "../../components/State";
import { Table } from "../../components/Table";
import { Time } from "../../components/Time";
import { account } from "../../language/account";
import { amount } from "../../language/moments";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { useAction } from "../../server/resource";
import { browserOf } from "./browsers";
import type { OwnSession } from "./own";

export function Sessions({
  sessions,
  onChanged,
}: {
  readonly sessions: readonly OwnSession[];
  readonly onChanged: () => void;
}) {
  const words = useTexts(account);
  const action = useAction();
  const end = (path: string) =>
    void action.run(async () => {
      const { ended } = await api.delete<{ ended: number }>(path);
      notify(words.ended(amount(ended)));
      onChanged();
    });
  const device = (one: OwnSession) => {
    const { browser, system } = browserOf(one.device);
    return browser === "" || system === "" ? browser || system || words.unknown_device : words.on(browser, system);
  };
  return (
    <Section
      title={words.sessions}
      actions={
        sessions.length > 1 && (
          <Button isBusy={action.isBusy} onPress={() => end("/account/sessions")}>
            {words.end_others}
          </Button>
        )
      }
    >
      {action.problem !== undefined && <Problem problem={action.problem} />}
      <Table
        label={words.sessions}
        rows={sessions}
        rowKey={(one) => one.id}
        hasFilter={false}
        empty=""
        columns={[
          { key: "device", title: words.device, isMain: true, cell: device },
          { key: "address", title: words.address, cell: (one) => one.address },
          { key: "begun", title: words.begun, cell: (one) => <Time at={one.begun_at} /> },
          { key: "seen", title: words.seen, cell: (one) => <Time at={one.seen_at} /> },
          {
            key: "state",
            title: words.state,
            cell: (one) =>
              one.current ? (
                <Badge>{words.session_here}</Badge>
              ) : (
                <Button label={words.end_label(device(one))} onPress={() => end(`/account/sessions/${one.id}`)}>
                  {words.end}
                </Button>
              ),
          },
        ]}
      />
    </Section>
  );
}
