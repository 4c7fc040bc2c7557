/** A new webhook: whom to tell, and of what. */
import { Dialog } from "../../components/Dialog";
import { Checkbox, Field, FieldGroup } from "../../components/Field";
import { type Answers, Form } from "../../components/Form";
import { useLanguage, useTexts } from "../../language/texts";
import { webhooks } from "../../language/webhooks";
import { api } from "../../server/api";
import { type WebhookMade, kindName } from "./webhook";

export function WebhookForm({
  offered,
  onMade,
  onClose,
}: {
  readonly offered: readonly string[];
  readonly onMade: (webhook: WebhookMade) => void;
  readonly onClose: () => void;
}) {
  const words = useTexts(webhooks);
  const spoken = useLanguage();
  const make = async (answers: Answers) => {
    const wanted = {
      name: answers["name"] ?? "",
      url: answers["url"] ?? "",
      kinds: offered.filter((kind) => answers[`kind-${kind}`] !== undefined),
      private_address: answers["private"] !== undefined,
    };
    onMade(await api.post<WebhookMade>("/webhooks", wanted));
  };
  return (
    <Dialog title={words.add} onClose={onClose}>
      <Form submit={words.add} onSubmit={make} onCancel={onClose}>
        <Field name="name" label={words.name} hint={words.name_hint} maxLength={100} isRequired />
        <Field name="url" type="url" label={words.url} hint={words.url_hint} maxLength={1000} isRequired isWide />
        <Checkbox name="private" label={words.private} hint={words.private_hint} />
        <FieldGroup label={words.kinds}>
          {offered.map((kind) => (
            <Checkbox key={kind} name={`kind-${kind}`} label={kindName(kind, spoken)} />
          ))}
        </FieldGroup>
      </Form>
    </Dialog>
  );
}
