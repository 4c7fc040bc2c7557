/** Where a device is, said and confirmed by whoever uses it: what the emergency services are told. */
import { Field } from "../../components/Field";
import { type Answers, Form } from "../../components/Form";
import { notify } from "../../components/Notices";
import { devices } from "../../language/devices";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { type Device, PARTS } from "./shapes";

const REQUIRED: readonly string[] = ["street", "city"];
const COMPLETED: Readonly<Record<string, string>> = {
  street: "street-address",
  postcode: "postal-code",
  city: "address-level2",
};

export function AddressForm({
  device,
  onDone,
  onCancel,
}: {
  readonly device: Device;
  readonly onDone: () => void;
  readonly onCancel?: () => void;
}) {
  const words = useTexts(devices);
  const known = device.addresses.find((one) => one.network === device.network)?.address ?? {};
  const confirm = async (answers: Answers) => {
    const said = Object.fromEntries(PARTS.map((part) => [part, (answers[part] ?? "").trim()]));
    const path = `/devices/${encodeURIComponent(device.sign_in)}/address`;
    await api.put(path, { ...said, network: device.network, confirm: true });
    notify(words.address_saved);
    onDone();
  };
  return (
    <Form submit={words.confirm_address} onSubmit={confirm} onCancel={onCancel}>
      {PARTS.map((part) => (
        <Field
          key={part}
          name={part}
          label={words[part]}
          defaultValue={known[part] ?? ""}
          isRequired={REQUIRED.includes(part)}
          autoComplete={COMPLETED[part] ?? "off"}
          maxLength={120}
        />
      ))}
    </Form>
  );
}
