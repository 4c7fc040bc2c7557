/** Devices: everybody's for those who look after them, one's own otherwise; and where help would be missing. */
import { useState } from "react";

import { Checkbox } from "../../components/Field";
import { Link } from "../../components/Link";
import { Page, Section } from "../../components/Page";
import { Table } from "../../components/Table";
import { devices } from "../../language/devices";
import { useTexts } from "../../language/texts";
import { useList } from "../../server/resource";
import { useMay, useSession } from "../../server/session";
import { AddressForm } from "./AddressForm";
import { AddressState, DeviceState } from "./DeviceState";
import "./devices.css";
import { type Device, EVENTS } from "./shapes";

export default function Devices() {
  const words = useTexts(devices);
  const { extension } = useSession();
  const seesAll = useMay("devices.read");
  // Without a telephone there is nothing of one's own to ask for.
  const list = useList<Device>(seesAll || extension !== "" ? "/devices" : undefined, { events: EVENTS });
  const [isOnlyWanted, setOnlyWanted] = useState(false);
  const wanted = list.items.filter((device) => device.address_wanted);
  const mine = wanted.find((device) => device.user === extension);
  return (
    <Page title={seesAll ? words.title : words.own_title}>
      {mine !== undefined && (
        <Section title={words.your_address(mine.sign_in)}>
          <p>{words.your_address_why}</p>
          <AddressForm key={mine.sign_in} device={mine} onDone={list.reload} />
        </Section>
      )}
      {seesAll && wanted.length > 0 && (
        <p className="wanted" role="status">
          {words.wanted_many(wanted.length)}
        </p>
      )}
      <Table<Device>
        label={seesAll ? words.title : words.own_title}
        rows={isOnlyWanted ? wanted : list.items}
        rowKey={(device) => device.sign_in}
        isLoading={list.isLoading}
        problem={list.problem}
        onRetry={list.reload}
        more={list.more}
        empty={words.none}
        hasFilter={seesAll}
        filters={
          wanted.length > 0 &&
          seesAll && (
            <Checkbox name="wanted" label={words.only_wanted} isChecked={isOnlyWanted} onChange={setOnlyWanted} />
          )
        }
        columns={[
          {
            key: "sign_in",
            title: words.sign_in,
            isMain: true,
            cell: (device) => <Link to={`/devices/${encodeURIComponent(device.sign_in)}`}>{device.sign_in}</Link>,
            text: (device) => device.sign_in,
          },
          {
            key: "name",
            title: words.of,
            cell: (device) => device.name,
            text: (device) => device.name,
          },
          {
            key: "kind",
            title: words.kind,
            cell: (device) => device.label || words[`kind_${device.kind}`],
            text: (device) => `${device.label} ${words[`kind_${device.kind}`]}`,
          },
          {
            key: "state",
            title: words.state,
            cell: (device) => <DeviceState device={device} />,
            text: (device) => (device.bindings.length > 0 ? words.registered : words.away),
          },
          {
            key: "what",
            title: words.what,
            cell: (device) => <span className="what">{device.bindings[0]?.user_agent ?? ""}</span>,
            text: (device) => device.bindings[0]?.user_agent ?? "",
          },
          {
            key: "reached",
            title: words.reached,
            cell: (device) => <span className="number">{device.bindings[0]?.address ?? ""}</span>,
            text: (device) => device.bindings[0]?.address ?? "",
          },
          { key: "address", title: words.address, cell: (device) => <AddressState device={device} /> },
        ]}
      />
    </Page>
  );
}
