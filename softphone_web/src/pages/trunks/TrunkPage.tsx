/** One of the operators' lines: how it is, its servers, its channels, its last refusal, its settings. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Facts } from "../../components/Facts";
import { Link } from "../../components/Link";
import { Page, Section } from "../../components/Page";
import { Show } from "../../components/Show";
import { Time } from "../../components/Time";
import type { PageProps } from "../../pages";
import { trunks } from "../../language/trunks";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { useResource } from "../../server/resource";
import { useSession } from "../../server/session";
import { navigate } from "../../shell/place";
import { ApplyDialog } from "../plan/ApplyDialog";
import "../plan/plan.css";
import type { Applied } from "../plan/shapes";
import { EVENTS, type Trunk, type TrunkDraft, type TrunkList } from "./shapes";
import { Registered } from "./Trunks";
import { TrunkState } from "./TrunkState";

export default function TrunkPage({ params }: PageProps) {
  const words = useTexts(trunks);
  const name = params["name"] ?? "";
  const mayChange = useSession().rights.includes("trunks.change");
  const list = useResource<TrunkList>("/trunks", { events: EVENTS });
  const trunk = list.data?.items.find((one) => one.name === name);
  const [isLeaving, setLeaving] = useState(false);
  const actions = (
    <>
      <Link to={`/trunks/${encodeURIComponent(name)}/settings`} className="button main">
        {words.change}
      </Link>
      <Button onPress={() => setLeaving(true)}>{words.remove}</Button>
    </>
  );
  return (
    <Page title={name} actions={mayChange && trunk !== undefined ? actions : undefined}>
      <p>
        <Link to="/trunks">{words.back}</Link>
      </p>
      <Show resource={list}>
        {() => (trunk === undefined ? <p>{words.not_there}</p> : <Shown trunk={trunk} />)}
      </Show>
      {isLeaving && list.data !== undefined && (
        <Leaving name={name} version={list.data.version} onClose={() => setLeaving(false)} />
      )}
    </Page>
  );
}

function Leaving({
  name,
  version,
  onClose,
}: {
  readonly name: string;
  readonly version: string;
  readonly onClose: () => void;
}) {
  const words = useTexts(trunks);
  return (
    <ApplyDialog
      title={words.remove_title(name)}
      reason={words.reason_remove(name)}
      compare={async () => {
        const draft = await api.post<TrunkDraft>("/trunks/draft", { name, settings: null });
        return draft.comparison;
      }}
      apply={(reason) =>
        api.delete<Applied>(`/trunks/${encodeURIComponent(name)}`, { query: { expected: version, reason } })
      }
      onDone={() => {
        onClose();
        navigate("/trunks");
      }}
      onClose={onClose}
    />
  );
}

function Shown({ trunk }: { readonly trunk: Trunk }) {
  const words = useTexts(trunks);
  return (
    <>
      <Section title={words.standing}>
        <Facts
          facts={[
            [
              words.state,
              <>
                <TrunkState trunk={trunk} />
                {trunk.since > 0 && (
                  <span className="muted">
                    {" · "}
                    {words.since.toLowerCase()} <Time at={trunk.since} />
                  </span>
                )}
              </>,
            ],
            [words.registered, <Registered key="registered" trunk={trunk} />],
            [words.channels, words.in_use(trunk.channels_in_use, trunk.channels)],
            [words.emergency, words.emergency_channels(trunk.emergency_channels)],
            [
              words.delay,
              trunk.options_delay_ms === null ? "–" : words.milliseconds(Math.round(trunk.options_delay_ms)),
            ],
            [words.last_refusal, <Refusal key="refusal" trunk={trunk} />],
            [words.servers, <Servers key="servers" servers={trunk.servers} />],
          ]}
        />
      </Section>
      <Section title={words.settings} actions={<Link to={`/plan?line=${trunk.line}`}>{words.in_plan(trunk.line)}</Link>}>
        <Facts
          facts={Object.entries(trunk.settings).map(([key, value]) => [
            settingName(key, words),
            <Setting key={key} value={value} />,
          ])}
        />
      </Section>
    </>
  );
}

/** A setting's name as the form has it; one that isn't in the form by its key. */
function settingName(key: string, words: Readonly<Record<string, unknown>>): string {
  const name = words[{ channels: "channels_field", emergency_channels: "emergency_field" }[key] ?? key];
  return typeof name === "string" ? name : key;
}

function Servers({ servers }: { readonly servers: readonly string[] }) {
  const words = useTexts(trunks);
  if (servers.length === 0) return words.no_server;
  return (
    <ol className="plain-list">
      {servers.map((server) => (
        <li key={server}>
          <code>{server}</code>
        </li>
      ))}
    </ol>
  );
}

function Refusal({ trunk }: { readonly trunk: Trunk }) {
  const words = useTexts(trunks);
  if (trunk.refusal === "") return words.no_refusal;
  const status = /: (\d{3})/.exec(trunk.refusal)?.[1] ?? "";
  const said = ["401", "403", "407"].includes(status)
    ? words.refused_password
    : status === "404"
      ? words.refused_unknown
      : ["408", "500", "503", "504"].includes(status)
        ? words.refused_away
        : trunk.refusal.includes("not answered")
          ? words.refused_silent
          : words.refused_other;
  return (
    <>
      {said} <Time at={trunk.refused_at} />
      <br />
      <code lang="en" className="muted">
        {trunk.refusal}
      </code>
    </>
  );
}

/** A setting as the plan has it. */
function Setting({ value }: { readonly value: unknown }) {
  if (Array.isArray(value)) {
    return (
      <ul className="plain-list">
        {value.map((one) => (
          <li key={String(one)}>{String(one)}</li>
        ))}
      </ul>
    );
  }
  if (typeof value === "object" && value !== null) {
    return <code>{Object.values(value).map(String).join(", ")}</code>;
  }
  return String(value);
}
