/** Desk telephones: those in service, those to adopt, who asked for settings, a spreadsheet, and what the LAN is told. */
import { useEffect, useState } from "react";

import { Button } from "../../components/Button";
import { notify } from "../../components/Notices";
import { Page } from "../../components/Page";
import { Empty } from "../../components/Problem";
import { Show } from "../../components/Show";
import { Tabs } from "../../components/Tabs";
import { phoneCare } from "../../language/phone_care";
import { phones } from "../../language/phones";
import { useTexts } from "../../language/texts";
import { useResource } from "../../server/resource";
import { useMay } from "../../server/session";
import { navigate } from "../../shell/place";
import { Fleet } from "./Fleet";
import { Import } from "./Import";
import { Network } from "./Network";
import { PhoneForm } from "./PhoneForm";
import { Requests } from "./Requests";
import { Updates } from "./Updates";
import { Waiting } from "./Waiting";
import { Window } from "./Window";
import { type Phones, called, isIgnored, isUnknown } from "./phone";
import "./phones.css";

export default function PhonesPage() {
  const words = useTexts(phones);
  const found = useResource<Phones>("/phones");
  const mayChange = useMay("devices.change");
  const [isAdding, setAdding] = useState(false);
  const [added, setAdded] = useState("");
  useEffect(() => {
    // Once its form is gone, which would ask before it is left.
    if (added !== "") navigate(`/phones/${added}`);
  }, [added]);
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
      <Show resource={found}>{(all) => <Parts all={all} mayChange={mayChange} onChanged={found.reload} />}</Show>
      {isAdding && (
        <PhoneForm
          onClose={() => setAdding(false)}
          onDone={(phone) => {
            setAdding(false);
            notify(words.added(called(phone)));
            setAdded(phone.name);
          }}
        />
      )}
    </Page>
  );
}

function Parts({ all, mayChange, onChanged }: { readonly all: Phones; readonly mayChange: boolean; readonly onChanged: () => void }) {
  const words = useTexts(phones);
  const care = useTexts(phoneCare);
  const { items, configured, window_until_at: until } = all;
  const fleet = items.filter((one) => !isUnknown(one) && !isIgnored(one));
  const tabs = [
    { key: "phones", title: words.tab_phones, content: <Fleet items={fleet} onChanged={onChanged} /> },
    {
      key: "waiting",
      title: words.tab_waiting(items.filter(isUnknown).length),
      content: <Waiting items={items} isOpen={until > 0} onChanged={onChanged} />,
    },
    { key: "updates", title: care.tab, content: <Updates /> },
    { key: "fetches", title: words.tab_fetches, content: <Requests /> },
    ...(mayChange ? [{ key: "import", title: words.tab_import, content: <Import onChanged={onChanged} /> }] : []),
    ...(configured ? [{ key: "network", title: words.tab_network, content: <Network /> }] : []),
  ];
  return (
    <>
      {configured ? <Window until={until} onChanged={onChanged} /> : <Empty>{words.off}</Empty>}
      <Tabs label={words.title} tabs={tabs} />
    </>
  );
}
