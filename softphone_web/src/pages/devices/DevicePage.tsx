/** A device: what it is, where it can be reached, where it is for help to come; changed by who may. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Confirm, Dialog } from "../../components/Dialog";
import { Facts } from "../../components/Facts";
import { Checkbox, Field, Select } from "../../components/Field";
import { type Answers, Form } from "../../components/Form";
import { Link } from "../../components/Link";
import { notify } from "../../components/Notices";
import { Page } from "../../components/Page";
import { Show } from "../../components/Show";
import { Time } from "../../components/Time";
import type { PageProps } from "../../pages";
import { devices } from "../../language/devices";
import { shell } from "../../language/shell";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { useResource } from "../../server/resource";
import { useMay, useSession } from "../../server/session";
import { navigate } from "../../shell/place";
import { KINDS } from "../directory/AddDevice";
import { Credentials } from "../directory/Credentials";
import type { Choices, Credentials as Known } from "../directory/shapes";
import { AddressPart } from "./AddressPart";
import { AddressState, DeviceState } from "./DeviceState";
import { type Device, EVENTS } from "./shapes";

type Asking = "" | "change" | "password" | "remove";

export default function DevicePage({ params }: PageProps) {
  const words = useTexts(devices);
  const signIn = params["device"] ?? "";
  const path = `/devices/${encodeURIComponent(signIn)}`;
  const device = useResource<Device>(path, { events: EVENTS });
  const mayChange = useMay("devices.change");
  const { extension } = useSession();
  const [asking, setAsking] = useState<Asking>("");
  const [made, setMade] = useState<Known>();
  const known = device.data;
  const isOurs = mayChange && known?.source === "database";
  const actions = isOurs && (
    <>
      <Button kind="main" onPress={() => setAsking("change")}>
        {words.change}
      </Button>
      <Button onPress={() => setAsking("password")}>{words.new_password}</Button>
      <Button onPress={() => setAsking("remove")}>{words.remove}</Button>
    </>
  );
  const remove = async () => {
    await api.delete(path);
    notify(words.removed(signIn));
    navigate("/devices");
  };
  return (
    <Page title={signIn} actions={actions}>
      <p>
        <Link to="/devices">{words.back}</Link>
      </p>
      <Show resource={device}>
        {(shown) => (
          <>
            <About device={shown} />
            {mayChange && shown.source === "plan" && <p className="muted">{words.from_plan}</p>}
            {shown.source === "page" && <p className="muted">{words.from_page}</p>}
            <AddressPart
              device={shown}
              mayChange={mayChange || shown.user === extension}
              onChange={device.reload}
            />
          </>
        )}
      </Show>
      {asking === "change" && known !== undefined && (
        <Changing
          device={known}
          onClose={() => setAsking("")}
          onDone={() => {
            setAsking("");
            device.reload();
          }}
        />
      )}
      {asking === "password" && (
        <Confirm
          title={words.new_password_title(signIn)}
          confirm={words.new_password_go}
          onConfirm={async () => setMade(await api.post<Known>(`${path}/password`))}
          onClose={() => setAsking("")}
        >
          <p>{words.new_password_body}</p>
        </Confirm>
      )}
      {asking === "remove" && (
        <Confirm
          title={words.remove_title(signIn)}
          confirm={words.remove}
          isDanger
          onConfirm={remove}
          onClose={() => setAsking("")}
        >
          <p>{words.remove_body}</p>
        </Confirm>
      )}
      {made !== undefined && asking === "" && <Made known={made} onClose={() => setMade(undefined)} />}
    </Page>
  );
}

function Made({ known, onClose }: { readonly known: Known; readonly onClose: () => void }) {
  const words = useTexts(devices);
  const general = useTexts(shell);
  return (
    <Dialog title={words.credentials_of(known.sign_in)} onClose={onClose}>
      <Credentials known={known} />
      <div className="actions">
        <Button kind="main" onPress={onClose}>
          {general.close}
        </Button>
      </div>
    </Dialog>
  );
}

function About({ device }: { readonly device: Device }) {
  const words = useTexts(devices);
  const binding = device.bindings[0];
  const facts: (readonly [string, React.ReactNode])[] = [
    [words.state, <DeviceState key="state" device={device} />],
    [words.of, <Link key="of" to={`/directory/${device.extension}`}>{`${device.name} (${device.extension})`}</Link>],
    [words.kind, words[`kind_${device.kind}`]],
  ];
  if (device.label !== "") facts.push([words.label, device.label]);
  if (device.user !== device.extension) facts.push([words.used_by, device.user]);
  facts.push([words.site, device.site === "" ? words.site_of_person : device.site]);
  if (binding !== undefined) {
    facts.push([words.what, binding.user_agent === "" ? "–" : binding.user_agent]);
    facts.push([words.reached, `${binding.address} (${binding.transport})`]);
    facts.push([words.until, <Time key="until" at={binding.until_at} />]);
  }
  if (device.network !== "") facts.push([words.address, <AddressState key="address" device={device} />]);
  if (device.source === "database") facts.push([words.password, device.has_password ? words.password_kept : words.password_unknown]);
  return <Facts facts={facts} />;
}

function Changing({
  device,
  onClose,
  onDone,
}: {
  readonly device: Device;
  readonly onClose: () => void;
  readonly onDone: () => void;
}) {
  const words = useTexts(devices);
  const choices = useResource<Choices>("/directory/choices");
  const change = async (answers: Answers) => {
    await api.patch(`/devices/${encodeURIComponent(device.sign_in)}`, {
      kind: answers["kind"] ?? device.kind,
      label: (answers["label"] ?? "").trim(),
      site: answers["site"] ?? "",
      md5_only: answers["md5_only"] === "on",
    });
    notify(words.saved);
    onDone();
  };
  return (
    <Dialog title={device.sign_in} onClose={onClose}>
      <Show resource={choices}>
        {(offered) => (
          <Form submit={words.save} onSubmit={change} onCancel={onClose} isAlwaysFree>
            <Select
              name="kind"
              label={words.kind}
              defaultValue={device.kind}
              options={KINDS.map((kind) => ({ value: kind, label: words[`kind_${kind}`] }))}
            />
            <Field
              name="label"
              label={words.label}
              hint={words.label_hint}
              defaultValue={device.label}
              isRequired={false}
              maxLength={80}
            />
            <Select
              name="site"
              label={words.site}
              defaultValue={device.site}
              options={[
                { value: "", label: words.site_of_person },
                ...offered.sites.map((site) => ({ value: site.name, label: site.title })),
              ]}
            />
            <Checkbox
              name="md5_only"
              label={words.md5_only}
              hint={words.md5_hint}
              isCheckedAtFirst={device.md5_only}
            />
          </Form>
        )}
      </Show>
    </Dialog>
  );
}
