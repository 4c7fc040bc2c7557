/** The operators' lines and how they are, as it changes. */
import { Link } from "../../components/Link";
import { Page } from "../../components/Page";
import { Table } from "../../components/Table";
import { Time } from "../../components/Time";
import { trunks } from "../../language/trunks";
import { useTexts } from "../../language/texts";
import { useResource } from "../../server/resource";
import { useSession } from "../../server/session";
import { EVENTS, type Trunk, type TrunkList } from "./shapes";
import { TrunkState, useStateWord } from "./TrunkState";

export default function Trunks() {
  const words = useTexts(trunks);
  const stateWord = useStateWord();
  const mayChange = useSession().rights.includes("trunks.change");
  const list = useResource<TrunkList>("/trunks", { events: EVENTS });
  const add = (
    <Link to="/trunks/new/settings" className="button main">
      {words.add}
    </Link>
  );
  return (
    <Page title={words.title} lead={words.lead} actions={mayChange ? add : undefined}>
      <Table<Trunk>
        label={words.title}
        rows={list.data?.items ?? []}
        rowKey={(trunk) => trunk.name}
        isLoading={list.isLoading}
        problem={list.problem}
        onRetry={list.reload}
        empty={words.none}
        hasFilter={(list.data?.items.length ?? 0) > 10}
        columns={[
          {
            key: "name",
            title: words.name,
            isMain: true,
            cell: (trunk) => <Link to={`/trunks/${encodeURIComponent(trunk.name)}`}>{trunk.name}</Link>,
            text: (trunk) => trunk.name,
          },
          {
            key: "state",
            title: words.state,
            cell: (trunk) => <TrunkState trunk={trunk} />,
            text: (trunk) => stateWord(trunk),
          },
          {
            key: "since",
            title: words.since,
            cell: (trunk) => (trunk.since > 0 ? <Time at={trunk.since} /> : "–"),
            value: (trunk) => trunk.since,
          },
          { key: "registered", title: words.registered, cell: (trunk) => <Registered trunk={trunk} /> },
          {
            key: "channels",
            title: words.channels,
            cell: (trunk) => (
              <span className="number">{words.in_use(trunk.channels_in_use, trunk.channels)}</span>
            ),
            value: (trunk) => trunk.channels_in_use,
          },
          {
            key: "delay",
            title: words.delay,
            cell: (trunk) => (
              <span className="number">
                {trunk.options_delay_ms === null ? "–" : words.milliseconds(Math.round(trunk.options_delay_ms))}
              </span>
            ),
            value: (trunk) => trunk.options_delay_ms ?? Infinity,
          },
          {
            key: "server",
            title: words.server,
            cell: (trunk) => trunk.servers[0] ?? trunk.host,
            text: (trunk) => `${trunk.servers.join(" ")} ${trunk.host}`,
          },
        ]}
      />
    </Page>
  );
}

export function Registered({ trunk }: { readonly trunk: Trunk }) {
  const words = useTexts(trunks);
  if (!trunk.registers) return <span className="muted">{words.not_registering}</span>;
  if (trunk.registered_until === 0) return words.not_registered;
  return <Time at={trunk.registered_until} />;
}
